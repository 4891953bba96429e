"""One check that holds an operation against PyTorch: value, shape, type, gradients of both orders.

An operation is called with either engine as its first argument; everything else follows from a
`Sample` that both engines read. What is checked at once: the error's class where one raises; the
number, shape and type of the results; the gradients, their shapes and types; that no gradient
shares memory with another or with an input; that no input changed; gradients of gradients.

How near is near enough: `ulp` counts units in the last place, and of what is said by `measure`.

- "each": of each number itself. For a gradient that broadcasting sums, of the sum of its absolute
  terms, which PyTorch in float64 gives on inputs stretched beforehand.
- "absolute": of what float64 gives on absolute values: for results and gradients that are sums of
  products (sum, matmul, conv2d), that is the sum of the absolute terms.
- "largest": of the largest number among inputs, result and gradient: for formulas whose terms
  cancel (softmax, var), where the error of each number is bounded by the largest term.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)


@dataclass
class Sample:
    """Arguments for one call: arrays become tensors, the rest is passed on as it is."""

    arguments: list[Any]
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    same: bool = False
    """Whether the first two arguments are to be one and the same tensor."""
    positive: bool = False
    """Whether the gradient from above is to be positive."""

    def arrays(self) -> list[np.ndarray]:
        return [a for a in self.arguments if isinstance(a, np.ndarray)]

    def ordinary(self) -> bool:
        return all(a.size and np.isfinite(a).all() for a in self.arrays())


@dataclass
class Operation:
    """A row of the table: how to call an operation, on what, and how near the results must be."""

    name: str
    call: Callable[..., Any]
    samples: Any
    ulp: float = 0
    grad_ulp: float | None = None
    measure: str = "each"
    differentiable: bool | Callable[[Sample], bool] = True
    second_order: bool | Callable[[Sample], bool] = True
    """Whether to differentiate, and twice; or on which samples."""
    grad_fn: bool = True

    def __repr__(self) -> str:
        return self.name

    def orders(self, sample: Sample) -> int:
        """How often to differentiate on a sample: 0, 1 or 2 times."""
        first, second = (
            wanted(sample) if callable(wanted) else wanted
            for wanted in (self.differentiable, self.second_order)
        )
        return 0 if not first else 2 if second and sample.ordinary() else 1


@dataclass
class Outcome:
    """What a call gave on one engine, as NumPy arrays and plain values."""

    error: BaseException | None = None
    values: list[Any] = field(default_factory=list)
    gradients: list[np.ndarray | None] = field(default_factory=list)
    second: list[np.ndarray | None] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)


def tensors_of(engine: Any, sample: Sample, grad: bool, kind: Any = None) -> list[Any]:
    """The sample's arguments on one engine: memory of its own, laid out as in the sample."""
    made: list[Any] = []
    for argument in sample.arguments:
        if not isinstance(argument, np.ndarray):
            made.append(argument)
            continue
        tensor = engine.from_numpy(copy_with_layout(argument, kind))
        if grad and tensor.dtype.is_floating_point:
            tensor.requires_grad_()
        made.append(tensor)
    if sample.same:
        made[1] = made[0]
    return made


def copy_with_layout(array: np.ndarray, kind: Any = None) -> np.ndarray:
    """A copy that is transposed, or has strides of 0, where `array` has."""
    flat = array
    for axis, (stride, size) in enumerate(zip(array.strides, array.shape, strict=True)):
        if stride == 0 and size > 1:
            flat = flat[(slice(None),) * axis + (slice(0, 1),)]
    order = sorted(range(array.ndim), key=lambda d: -array.strides[d])
    copied = np.ascontiguousarray(flat.transpose(order), kind if array.dtype.kind == "f" else None)
    copied = copied.reshape([flat.shape[d] for d in order]).transpose(np.argsort(order))
    if copied.shape == array.shape:
        return copied
    kept = zip(array.shape, copied.shape, copied.strides, strict=True)
    strides = [stride if n == m else 0 for n, m, stride in kept]
    return np.lib.stride_tricks.as_strided(copied, array.shape, strides)


def results_of(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor | tinygrad_mnist.Tensor)


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().numpy(force=True)
    return value.detach().numpy() if is_tensor(value) else value


def upstream(engine: Any, tensor: Any, seed: int, positive: bool = False) -> Any:
    """The gradient that arrives from above, in halves."""
    random = np.random.default_rng(seed + 7)
    numbers = random.integers(-6, 7, tuple(tensor.shape)) / 2
    numbers = np.abs(numbers) if positive else numbers
    return engine.from_numpy(np.asarray(numbers, plain(tensor).dtype))


def run(engine: Any, operation: Operation, sample: Sample, second_order: bool) -> Outcome:
    """Call the operation on one engine and go backward."""
    with warnings.catch_warnings():
        if engine is torch:
            warnings.simplefilter("ignore")
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's own; NumPy's are RuntimeWarnings
        return _run(engine, operation, sample, second_order)


def _run(engine: Any, operation: Operation, sample: Sample, second_order: bool) -> Outcome:
    outcome = Outcome()
    kind = np.float64 if second_order else None
    try:
        arguments = tensors_of(engine, sample, operation.orders(sample) > 0, kind)
        before = [plain(a).copy() for a in arguments if is_tensor(a)]
        results = results_of(operation.call(engine, *arguments, **sample.options))
        leaves = [a for a in arguments if is_tensor(a) and a.requires_grad]
        leaves = leaves[1:] if sample.same and len(leaves) > 1 else leaves
        roots = [r for r in results if is_tensor(r) and r.requires_grad]
        outcome.names = [type(r.grad_fn).__name__ if is_tensor(r) else None for r in results]
        if roots and leaves:
            above = [
                upstream(engine, root, sample.seed + i, sample.positive)
                for i, root in enumerate(roots)
            ]
            if second_order:
                for each in above:
                    each.requires_grad_()
            found = engine.autograd.grad(
                roots, leaves, above, create_graph=second_order, allow_unused=True
            )
            outcome.gradients = [None if g is None else plain(g) for g in found]
            if not second_order:
                check_memory(engine, outcome.gradients, arguments + above)
            else:
                outcome.second = second_gradients(engine, found, leaves + above, sample.seed)
        outcome.values = [plain(r) for r in results]
    except Exception as error:
        outcome.error = error
        return outcome
    after = [plain(a) for a in arguments if is_tensor(a)]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new, "an input was changed")
    return outcome


def check_memory(engine: Any, gradients: list[np.ndarray | None], others: list[Any]) -> None:
    """No gradient of ours shares memory with another gradient or with a tensor of the caller's."""
    if engine is torch:
        return
    present = [g for g in gradients if g is not None and g.size]
    arrays = [plain(o) for o in others if is_tensor(o)]
    for position, gradient in enumerate(present):
        for other in present[position + 1 :] + arrays:
            assert not np.may_share_memory(gradient, other), "a gradient shares memory"


def second_gradients(engine: Any, firsts: Any, wanted: list[Any], seed: int) -> list[Any]:
    """The gradients of Σ gradient · random numbers: one product with the matrix of second order."""
    places = [i for i, g in enumerate(firsts) if g is not None and g.requires_grad]
    if not places:
        return [None] * len(wanted)
    roots = [firsts[i] for i in places]
    above = [upstream(engine, firsts[i], seed + 31 + i) for i in places]
    found = engine.autograd.grad(roots, wanted, above, allow_unused=True)
    return [None if g is None else plain(g) for g in found]


def check(operation: Operation, sample: Sample) -> None:
    """Hold our outcome against PyTorch's; the message of a failure names the sample."""
    ours, theirs = (run(engine, operation, sample, False) for engine in ENGINES)
    if theirs.error is not None or ours.error is not None:
        compare_errors(ours.error, theirs.error)
        return
    compare_kinds(ours.values, theirs.values)
    if operation.grad_fn and all(a.size for a in sample.arrays()):
        assert ours.names == theirs.names, f"{ours.names}, PyTorch {theirs.names}"
    scales, grad_scales = scales_of(operation, sample, theirs)
    for mine, other, scale in zip(ours.values, theirs.values, scales, strict=True):
        compare("value", mine, other, scale, operation.ulp)
    bound = operation.ulp + 1 if operation.grad_ulp is None else operation.grad_ulp
    compare_gradients("gradient", ours.gradients, theirs.gradients, grad_scales, bound)
    if operation.orders(sample) == 2 and ours.gradients:
        check_second_order(operation, sample)


def check_second_order(operation: Operation, sample: Sample) -> None:
    """Both orders in float64, where a wrong formula stands far above rounding."""
    ours, theirs = (run(engine, operation, sample, True) for engine in ENGINES)
    if theirs.error is not None or ours.error is not None:
        compare_errors(ours.error, theirs.error)
        return
    everything = [a for a in [*sample.arrays(), *theirs.gradients, *theirs.second] if a is not None]
    largest = max([1.0, *(magnitude(a) for a in everything)])
    for name, mine, other in (("first", ours.gradients, theirs.gradients),
                              ("second", ours.second, theirs.second)):  # fmt: skip
        scales = [None if o is None else np.full(o.shape, largest) for o in other]
        compare_gradients(f"{name}-order gradient", mine, other, scales, 1024)


def compare_errors(mine: BaseException | None, other: BaseException | None) -> None:
    if type(mine) is not type(other) and not isinstance(mine, type(other)):
        raise AssertionError(f"ours raised {mine!r}, PyTorch {other!r}") from mine


def compare_kinds(mine: list[Any], other: list[Any]) -> None:
    """As many results, of the same shapes and types."""
    assert len(mine) == len(other), f"{len(mine)} results, PyTorch gives {len(other)}"
    for ours, theirs in zip(mine, other, strict=True):
        assert type(ours) is type(theirs), f"{type(ours)}, PyTorch gives {type(theirs)}"
        if isinstance(ours, np.ndarray):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)


def compare_gradients(
    what: str, mine: list[Any], other: list[Any], scales: list[Any], ulp: float
) -> None:
    assert len(mine) == len(other)
    for ours, theirs, scale in zip(mine, other, scales, strict=True):
        if ours is None and theirs is None:
            continue
        if ours is None or theirs is None:  # an input without influence, for one engine
            present = theirs if ours is None else ours
            compare(what, present, np.zeros_like(present), 1.0, ulp)
            continue
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), what
        compare(what, ours, theirs, scale, ulp)


def compare(what: str, mine: Any, other: Any, scale: Any, ulp: float) -> None:
    """Within `ulp` units in the last place of `scale`; infinities and NaN must be the same."""
    if not isinstance(mine, np.ndarray) or mine.dtype.kind != "f":
        np.testing.assert_array_equal(mine, other, what)
        return
    ours, theirs = mine.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(np.where(finite, 0, theirs), np.where(np.isfinite(ours), 0, ours),
                                  f"{what}: not finite at different places")  # fmt: skip
    scale = np.maximum(np.abs(theirs), 0 if scale is None else np.broadcast_to(scale, theirs.shape))
    unit = np.spacing(np.where(np.isfinite(scale), scale, 0).astype(mine.dtype)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.where(finite, np.abs(ours - theirs), 0) / unit
    if error.size and error.max() > ulp:
        worst = np.unravel_index(error.argmax(), error.shape)
        raise AssertionError(
            f"{what} differs by {error.max():.3g} ulp (allowed: {ulp}) at {worst}: "
            f"{mine[worst]!r}, PyTorch {other[worst]!r}"
        )


def scales_of(operation: Operation, sample: Sample, theirs: Outcome) -> tuple[list[Any], list[Any]]:
    """What the ulp are counted of, for each value and each gradient (see the module's text)."""
    values: list[Any] = [None] * len(theirs.values)
    gradients: list[Any] = [None] * len(theirs.gradients)
    if operation.measure == "largest":
        everything = [*sample.arrays(), *theirs.values, *theirs.gradients]
        arrays = [a for a in everything if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        largest = max([1.0, *(magnitude(a) for a in arrays)])
        return [largest] * len(values), [largest] * len(gradients)
    prepared = absolute(sample) if operation.measure == "absolute" else stretched(sample)
    if prepared is None:
        return values, gradients
    exact = run(torch, operation, prepared, False)
    if exact.error is not None:
        return values, gradients
    if operation.measure == "absolute":
        return [magnitudes(v) for v in exact.values], [magnitudes(g) for g in exact.gradients]
    leaves = [a for a in sample.arrays() if a.dtype.kind == "f"]
    terms = [magnitudes(g) for g in exact.gradients]
    if not terms:
        return values, gradients
    if sample.same:
        return values, [sum(terms)]
    return values, [None if g is None else sum_to(g, leaf.shape)
                    for g, leaf in zip(terms, leaves, strict=True)]  # fmt: skip


def magnitude(array: np.ndarray) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max(initial=0))


def magnitudes(value: Any) -> Any:
    return np.abs(value) if isinstance(value, np.ndarray) else None


def is_floating(argument: Any) -> bool:
    return isinstance(argument, np.ndarray) and argument.dtype.kind == "f"


def absolute(sample: Sample) -> Sample:
    """The sample's absolute values, in float64."""
    arguments = [
        np.abs(a.astype(np.float64), out=...) if is_floating(a) else a for a in sample.arguments
    ]
    return Sample(arguments, sample.options, sample.seed, sample.same, positive=True)


def stretched(sample: Sample) -> Sample | None:
    """The sample in float64 with its arrays broadcast beforehand, so that no gradient is summed."""
    given = [sample.arguments[0], *sample.arguments[2:]] if sample.same else sample.arguments
    given = [given[0], *given] if sample.same else given
    shapes = {a.shape for a in given if isinstance(a, np.ndarray)}
    if len(shapes) < 2 and not sample.same:
        return None
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        return None
    arguments = [
        np.broadcast_to(a, shape).astype(np.float64 if a.dtype.kind == "f" else a.dtype)
        if isinstance(a, np.ndarray)
        else a
        for a in given
    ]
    return Sample(arguments, sample.options, sample.seed)


def sum_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`array` summed down to `shape`, from which it was broadcast."""
    lead = array.ndim - len(shape)
    summed = array.sum(axis=tuple(range(lead)))
    axes = tuple(d for d, n in enumerate(shape) if n == 1 and summed.shape[d] != 1)
    return summed.sum(axis=axes, keepdims=True)
