"""No rewrite changes what is special: infinities, NaN, overflow, the signs of zeros."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.compiler.test_edges import REFUSED, assert_alike, computed
from tests.compiler.test_table import given_to
from tinygrad_mnist.compiler import build
from tinygrad_mnist.compiler.passes import lowering, simplify
from tinygrad_mnist.tools.parity.table import OPERATIONS

PACKAGE = Path(build.__file__).parents[1]


# Lowering: each rule, by the operations whose rows prove what it rewrites

BY_OTHERS = {
    "add_bias", "as_strided", "as_strided_backward", "copy_slices", "index_backward",
    "log_softmax_backward", "nll_loss_backward", "slice_backward",
}  # fmt: skip
"""What derivatives and views consist of; the rows of those hold them."""


@pytest.mark.usefixtures("plain")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("op", sorted(lowering._RULES.keys() - BY_OTHERS))
def test_what_is_lowered_keeps_special_numbers(op):
    names = {op, f"log_{op}"}
    rows = [row for row in OPERATIONS if not names.isdisjoint(row.proves) and row.public]
    assert rows
    for row in rows[:3]:
        if "special" not in row.situations:
            continue
        for seed in range(3):
            sample = row.sample("special", seed)
            (options, *arguments), tensors = given_to(sample)
            try:
                wanted, above = computed(row, options, arguments, tensors)
            except REFUSED:
                continue
            step = torch.compile(lambda *given, row=row: computed(row, *given))
            (options, *arguments), tensors = given_to(sample)
            found, _ = step(options, arguments, tensors, above)
            for ours, theirs in zip(found, wanted, strict=True):
                assert_special_alike(ours.numpy(), theirs.numpy(), row.name)


def assert_special_alike(ours, theirs, name):
    """Equal where either is infinite, NaN or 0, signs included."""
    with np.errstate(all="ignore"):
        special = ~np.isfinite(ours) | ~np.isfinite(theirs) | (ours == 0) | (theirs == 0)
    assert_alike(ours[special], theirs[special], name)


# Simplification: each rule where it applies, and where it must not


def log_softmax_gradient(x):
    return torch.autograd.grad(torch.log_softmax(x, 1)[:, 0].sum(), x)[0]


def own_softmax(x):
    return (x - x.exp().sum(1, keepdim=True).log()).exp()


ROW = [200.0, 190.0, -np.inf]
SIMPLIFIED = {
    "_exp_of_difference": (log_softmax_gradient, own_softmax),
    "_sum_of_one_place": (log_softmax_gradient, lambda x: -log_softmax_gradient(x * 0)),
    "_transposed_product": (lambda x: (x.T @ x).T, lambda x: (x.T @ (x * 1e30)).T),
}
FOLDED = {
    "cast": lambda x: torch.ones(2, 3).to(torch.float64) * x,
    "div": lambda x: x * (torch.full((2, 3), torch.inf) / 3),
    "mul": lambda x: x * (torch.full((2, 3), -0.0) * 1e30) + x * 1.0,
    "neg": lambda x: (x, -torch.full((2, 3), -(2**63)), -torch.full((2, 3), 1, dtype=torch.uint8)),
    "not uniform": lambda x: x * 0 + torch.tensor([0.0, -0.0, -0.0]),
}
ALGEBRA = {
    "exp log": lambda x: x.exp().log(),
    "large small": lambda x: x * 1e30 * 1e-30,
    "small large": lambda x: x * 1e-30 * 1e-30 * 1e30 * 1e30,
    "difference": lambda x: (x + 1e8) - 1e8,
    "quotient": lambda x: (x / 3) * 3,
    "square": lambda x: x * x - x * x,
    "overflow": lambda x: x * 1e38 - x * 1e38,
    "reciprocal": lambda x: x / 49.0,
    "zero": lambda x: x * 0.0 + (-x) * 0.0,
}
"""Laws that real numbers obey, and floating-point ones do not."""


def assert_kept(functions, alike=assert_alike):
    def run(x):
        found = [function(x) for function in functions]
        return [e for each in found for e in (each if isinstance(each, tuple) else (each,))]

    x = torch.tensor([ROW, [3.4e38, -0.0, 0.1]]).requires_grad_()
    step = torch.compile(lambda x: [each.detach() for each in run(x)])
    step(x)
    for ours, theirs in zip(step(x), run(x), strict=True):
        alike(ours.numpy(), theirs.detach().numpy(), step.source)
    return step


def test_every_rule_of_simplification_is_held():
    source = ast.parse(Path(simplify.__file__).read_text())
    (body,) = [each for each in source.body if getattr(each, "name", "") == "simplify"]
    called = {
        n.func.id
        for n in ast.walk(body)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert {name for name in called if name.startswith("_")} == SIMPLIFIED.keys()


@pytest.mark.usefixtures("plain")
def test_simplification_keeps_special_numbers():
    assert_kept([each for pair in SIMPLIFIED.values() for each in pair], assert_special_alike)


@pytest.mark.usefixtures("plain")
def test_constants_are_folded_as_they_are_computed():
    assert_kept(FOLDED.values())


def test_no_law_of_algebra_is_assumed_unless_asked_for():
    functions = list(ALGEBRA.values())
    step = assert_kept(functions)
    with np.errstate(all="ignore"):
        loose = torch.compile(
            lambda x: functions[0](x), options={"cpp.enable_unsafe_math_opt_flag": True}
        )
    x = torch.tensor([200.0, 100.0])
    loose(x)
    assert step.source.count("scalars.exp") == 1
    np.testing.assert_allclose(loose(x), [200.0, 100.0])


def test_options_have_pytorchs_types():
    name = "cpp.enable_unsafe_math_opt_flag"
    with pytest.raises(
        RuntimeError, match=f"Unexpected type of attr {name}, got str should be bool"
    ):
        torch.compile(lambda x: x, options={name: "yes"})


# What LLVM may do: in sums, in products of matrices, in a polynomial, where PyTorch does so too

ALLOWED = {
    "compiler/loops/recurrent.py": {"contract"},
    "compiler/loops/scalars.py": {"contract", "reassoc"},
    "kernels/activations.py": {"contract"},
    "kernels/elementwise.py": {"contract"},
    "kernels/normalization.py": {"contract", "reassoc"},
    "kernels/planes.py": {"contract"},
    "kernels/products.py": {"contract"},
    "kernels/random_loops.py": {"contract"},
    "kernels/reductions.py": {"reassoc"},
    "kernels/register_tiles.py": {"contract"},
    "kernels/softmax.py": {"contract", "reassoc", "nnan", "nsz"},
    "kernels/updates.py": {"contract"},
    "kernels/winograd.py": {"contract", "reassoc"},
}


def test_fastmath_is_what_it_is_said_to_be():
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        flags = re.findall(r"fastmath=(\{[^}]*\}|True)", file.read_text(encoding="utf-8"))
        if flags:
            name = file.relative_to(PACKAGE).as_posix()
            found[name] = set().union(*map(ast.literal_eval, flags))
    assert found == ALLOWED
