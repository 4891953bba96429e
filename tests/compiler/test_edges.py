"""Every element-wise operation at the edges of number types, compiled as it is uncompiled.

Programs run as Python, so that no compiler is waited for; then the expressions in them are compiled
by Numba, all in one function a type, and held to what Python makes of them.
"""

import math

import numba
import numpy as np
import pytest
import torch as real_torch

import tinygrad_mnist as torch
from tests.compiler.conftest import as_python
from tests.compiler.edges import DTYPES, Edges, edges
from tests.compiler.test_table import given_to, tensors_in
from tinygrad_mnist.compiler.codegen.expressions import EXPRESSIONS
from tinygrad_mnist.compiler.codegen.writer import expression
from tinygrad_mnist.tools.parity.table.elementwise import ACTIVATIONS, COMPARISONS, NUMBERS
from tinygrad_mnist.tools.parity.ulp import ulp_difference

NOT_ELEMENTWISE = ("is_nonzero", "nn.functional.softmin")
REPLAYED = ("Tensor.bfloat16", "Tensor.half")
"""Programs with narrow floats are not compiled."""
ROWS = [
    row
    for row in (*NUMBERS, *COMPARISONS, *ACTIVATIONS)
    if row.name not in (*NOT_ELEMENTWISE, *REPLAYED)
]
REFUSED = (ArithmeticError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)
NO_ARITHMETIC = ("clone", "expand", "place", "reshape")


def computed(row, options, arguments, tensors, above=()):
    """Results and gradients, and the gradients from above: ones, zeros, and others."""
    results = tensors_in(row.call(torch, row.name, *arguments, **options))
    roots = [each for each in results if each.requires_grad]
    leaves = [each for each in tensors if each.requires_grad]
    found = [each.detach() for each in results]
    if roots and leaves:
        above = above or [
            torch.tensor(
                np.resize([1.0, -2.0, 0.0, 0.5, 1.0, -1.0, 3.0], each.shape), dtype=each.dtype
            )
            for each in roots
        ]
        found += torch.autograd.grad(roots, leaves, above, allow_unused=True)
    return [each for each in found if each is not None], above


def assert_alike(ours, theirs, name):
    assert ours.dtype == theirs.dtype, name
    apart = ulp_difference(ours, theirs)
    assert apart.max(initial=0) <= 8, (name, ours[apart > 8][:3], theirs[apart > 8][:3])
    if ours.dtype.kind == "f":
        other_sign = (np.signbit(ours) != np.signbit(theirs)) & (ours == ours)
        assert not other_sign.any(), (name, ours[other_sign][:3], theirs[other_sign][:3])


def note(seen, program, dtype):
    """Keep the instructions that are spelled for a type, each kind once."""
    for i in program.instructions:
        kinds = tuple(value.dtype.name for value in (*i.inputs, i.output))
        if dtype in kinds and i.op in EXPRESSIONS and i.op not in NO_ARITHMETIC:
            seen[i.op, kinds, repr(i.attributes)] = i


def samples(row, dtype):
    """Arrays of all numbers; then, for what divides, of all but 0."""
    for zero in (True, False):
        random = np.random.default_rng(0)
        pick = lambda low, high, random=random: int(random.integers(low, high + 1))  # noqa: E731
        yield row.inputs(Edges(pick, dtype, zero=zero, side=16))


def together(instructions):
    """The source of one loop that computes all instructions, and what it is given."""
    given = {}
    kinds = sorted({i.output.dtype.name for i in instructions})
    rows = dict.fromkeys(kinds, 0)
    lines = []
    for i in instructions:
        names = []
        for place, value in enumerate(i.inputs):
            kind = value.dtype.name
            values = edges(kind)
            if place == 1 and kind in ("uint8", "int32", "int64"):
                values = values[values != 0]
            n = np.arange(961)
            given[f"{kind}_{place}"] = values[(n + n // len(values) * place) % len(values)]
            names.append(f"{kind}_{place}[j]")
        kind = i.output.dtype.name
        lines.append(f"        {kind}_out[{rows[kind]}, j] = {expression(i, names)}")
        rows[kind] += 1
    outs = {f"{kind}_out": np.zeros((rows[kind], 961), kind) for kind in kinds}
    names = ", ".join([*given, *outs])
    return "\n".join([f"def step({names}):", "    for j in range(961):", *lines]), given, outs


def compare_with_numba(instructions, scalars):
    source, given, outs = together(instructions)
    names = {"math": math, "np": np, "scalars": scalars}
    exec(source, names)
    compiled = numba.njit(error_model="numpy")(names["step"])
    found = {name: array.copy() for name, array in outs.items()}
    compiled(*given.values(), *found.values())
    names["scalars"] = as_python(scalars)
    with np.errstate(all="ignore"):
        names["step"](*given.values(), *outs.values())
    lines = source.splitlines()[2:]
    for name, array in outs.items():
        for row, theirs in enumerate(array):
            said = next(line for line in lines if line.strip().startswith(f"{name}[{row},"))
            assert_alike(found[name][row], theirs, said)


@pytest.mark.usefixtures("plain")
@pytest.mark.filterwarnings("ignore:compile.* replayed")
@pytest.mark.parametrize("dtype", DTYPES)
def test_programs_at_the_edges_of_a_type(dtype, loops):
    tried, seen = 0, {}
    for row in ROWS:
        for sample in samples(row, dtype):
            (options, *arguments), tensors = given_to(sample)
            try:
                wanted, above = computed(row, options, arguments, tensors)
            except REFUSED:
                continue
            (options, *arguments), tensors = given_to(sample)
            step = torch.compile(lambda *given, row=row: computed(row, *given))
            found, _ = step(options, arguments, tensors, above)
            assert len(found) == len(wanted)
            for ours, theirs in zip(found, wanted, strict=True):
                assert_alike(ours.numpy(), theirs.numpy(), row.name)
            note(seen, step.program, dtype)
            tried += 1
            break
    assert tried >= (70 if dtype.startswith("float") else 30)
    if dtype in ("uint8", "int64", "float32"):
        compare_with_numba(list(seen.values()), loops.scalars)


@pytest.mark.usefixtures("plain")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", [2, 3, 0.5, -0.5, -1, -2, 1.5, -3])
def test_powers_at_the_edges_are_pytorch_s(dtype, exponent):
    """Those that have ways of their own, in the derivative too, and two that have none."""

    def power(engine, x):
        out = x**exponent
        return out, engine.autograd.grad(out, x, engine.ones_like(out))[0]

    given = edges(dtype)
    theirs = power(real_torch, real_torch.from_numpy(given).requires_grad_())
    x = torch.from_numpy(given).requires_grad_()
    for ours in (power(torch, x), torch.compile(power)(torch, x)):
        for found, wanted in zip(ours, theirs, strict=True):
            assert_alike(found.detach().numpy(), wanted.detach().numpy(), exponent)
