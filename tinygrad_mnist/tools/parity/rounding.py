"""How far rounding alone may move a result: PyTorch's computation with every number nudged.

A function is run a few times, forward and backward, while each result of each of PyTorch's
operations is moved by chance within the rounding of its type. How far the outcome moves is the
condition of the function at these inputs: sums that cancel move far, products little. (Monte Carlo
arithmetic: Parker, "Monte Carlo arithmetic", 1997.) Whole numbers, which are counts, labels and
masks, stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .outcomes import Outcome, observe
from .twins import Array, Given, pytorch

__all__ = ["rounding_scales", "scale_of"]

_RUNS = 6
_FUSED = (
    "_log_softmax", "_log_softmax_backward_data", "_softmax", "_softmax_backward_data", "gelu",
    "gelu_backward", "native_layer_norm_backward", "nll_loss_backward", "tanh_backward",
)  # fmt: skip
"""Operations of PyTorch that are several: rounding within them counts, and terms may cancel."""
_EXACT = 1024
"""Whole numbers up to here are taken for exact."""
Scales = dict[str, Any]


def rounding_scales(
    function: Callable[..., Any], given: tuple[Any, ...], theirs: Outcome, orders: Any
) -> tuple[Scales, Scales]:
    """For values and gradients, numbers of which one ulp is as large as what rounding moves.

    Nothing for a function that gives other numbers when it is called again.
    """
    torch = pytorch()
    again = observe(torch, function, given, **orders)
    names = ("values", "gradients")
    if not all(_same(getattr(again, n), getattr(theirs, n)) for n in names):
        return {}, {}
    runs = []
    for seed in range(_RUNS):
        random = np.random.default_rng(seed)
        made: dict[int, Any] = {}
        nudged = tuple([_nudged_input(each, random, made) for each in given])
        with _nudging(torch, random):
            runs.append(observe(torch, function, nudged, **orders))
    return tuple(  # type: ignore[return-value]
        {
            name: scale_of([getattr(run, n).get(name) for run in runs], array)
            for name, array in getattr(theirs, n).items()
            if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size
        }
        for n in names
    )


def _same(one: Scales, other: Scales) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=True)
        for name in one
        if isinstance(one[name], np.ndarray) and one[name].dtype.kind == "f"
    )


def scale_of(runs: list[Any], array: Array) -> Array | None:
    """Numbers whose ulp is the farthest that any run is from `array`, or the middle of all."""
    if any(run is None or run.shape != array.shape for run in runs):
        return None
    with np.errstate(all="ignore"):
        moved = [np.abs(run.astype(np.float64) - array) for run in runs]
    farthest = np.max(np.nan_to_num(moved, nan=0.0, posinf=0.0), axis=0)
    scale: Array = 2 * np.maximum(farthest, np.median(farthest)) / np.finfo(array.dtype).eps
    return scale


def _nudge(numbers: Array, random: np.random.Generator, amplitude: float = 1.0) -> Array:
    eps = amplitude * np.finfo(numbers.dtype).eps
    with np.errstate(all="ignore"):
        moved = numbers * (1.0 + eps * random.uniform(-1, 1, numbers.shape))
        exact = (np.rint(numbers) == numbers) & (np.abs(numbers) <= _EXACT)
    return np.where(exact, numbers, moved.astype(numbers.dtype))


def _nudged_input(value: Any, random: np.random.Generator, made: dict[int, Any]) -> Any:
    """The inputs as `twins.read` gives them, those of floating point nudged."""
    if isinstance(value, Given) and value.array.dtype.kind == "f":
        if id(value) not in made:
            made[id(value)] = value._replace(array=_nudge(value.array, random))
        return made[id(value)]
    if type(value) in (list, tuple):
        return type(value)(_nudged_input(each, random, made) for each in value)
    if isinstance(value, dict):
        return {key: _nudged_input(each, random, made) for key, each in value.items()}
    return value


def _nudging(torch: Any, random: np.random.Generator) -> Any:
    """The mode in which results of PyTorch's operations are nudged; views and writes are not.

    What is summed of many terms in one operation is nudged more, as are the terms.
    """
    from torch._decomp import get_decompositions
    from torch.utils._python_dispatch import TorchDispatchMode

    parts = get_decompositions([getattr(torch.ops.aten, name) for name in _FUSED])

    def floats(values: Any) -> list[Any]:
        each = values if isinstance(values, list | tuple) else [values]
        kinds = (torch.float32, torch.float64)
        return [x for x in each if isinstance(x, torch.Tensor) and x.dtype in kinds and x.numel()]

    def nudged(value: Any, amplitude: float) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(nudged(each, amplitude) for each in value)
        if not floats(value):
            return value
        moved = _nudge(value.numpy(force=True), random, amplitude)
        return value.clone().copy_(torch.from_numpy(np.asarray(moved)))

    class Nudging(TorchDispatchMode):  # type: ignore[misc]
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # else PyTorch imports its compiler, which takes seconds

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func in parts:
                with self:
                    return parts[func](*args, **(kwargs or {}))
            out = func(*args, **(kwargs or {}))
            fixed = func._schema.is_mutable or any(r.alias_info for r in func._schema.returns)
            if fixed or not floats(args) or not floats(out):
                return out
            amplitude = max(1.0, math.sqrt(_terms(func, floats(args), floats(out))) / 2)
            if amplitude > 1:
                out = func(*[nudged(each, amplitude) for each in args], **(kwargs or {}))
            return nudged(out, amplitude)

    return Nudging()


def _terms(func: Any, args: list[Any], out: list[Any]) -> float:
    """About how many terms are summed for each number that an operation of PyTorch gives."""
    name = func._schema.name
    if name.endswith(("mm", "mv", "dot", "addr")):
        return float(args[-2].shape[-1])
    if name.endswith("convolution"):
        return float(args[1][0].numel())
    if "cum" in name:
        return float(max(args[0].shape, default=1))
    return float(max(each.numel() for each in args) / min(each.numel() for each in out))
