"""Holding a function against its counterpart in PyTorch: values, types, gradients, errors.

Of what the ulp of results and first gradients are counted, `scale` says:

- "rounding", the default: of each number itself, and where that is not enough, of a number of
  which one ulp is what rounding moves PyTorch's own computation by at these inputs (`rounding`);
- None: of each number itself; where an elementwise function broadcasts, and its gradient is
  therefore a sum, of the sum of that sum's absolute terms;
- "terms": of the sum of absolute terms, for functions that are sums of products of their
  inputs (sum, matmul, a convolution): found by calling `torch_fn` on absolute values;
- a function: the same, found by calling this one on PyTorch tensors of absolute values;
- "largest": of the largest number in the same result or gradient;
- "sight": of the largest number among inputs, results and gradients, for functions that
  subtract what is nearly equal (a variance).
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tinygrad_mnist
from tinygrad_mnist.tools.frameworks import Framework

from .across import compare_across, frameworks_of
from .comparison import Comparison, Difference, ParityError, compare_each, text_table
from .outcomes import Outcome, observe
from .rounding import rounding_scales
from .twins import Array, Engine, Given, arrays_of, pytorch, read

__all__ = ["Comparison", "Difference", "ParityError", "assert_parity", "compare", "text_table"]

Scale = str | Callable[..., Any] | None
"""What ulp are counted of: "rounding", None, "terms", "largest", "sight", or a function."""


def assert_parity(
    fn: Callable[..., Any], torch_fn: Callable[..., Any], *inputs: Any,
    gradients: bool = True, second_order: bool = False, ulp: float = 4.0,
    gradient_ulp: float | None = None, second_order_ulp: float = 64.0, scale: Scale = "rounding",
    seed: int | None = None, frameworks: Sequence[str | Framework] | None = None,
) -> Comparison:  # fmt: skip
    """Raise ParityError unless `fn` on this engine does what `torch_fn` does on PyTorch.

    Either may be of the other engine, of another framework of `tools.frameworks`, or a pair
    `(forward, backward)` of NumPy's: `frameworks=("jax", "numpy")` says so where the names that
    they use do not. Then results, shapes, dtypes, gradients and that both raise are compared.

    `inputs` are NumPy arrays, tensors of either engine, and whatever else the functions take; both
    are called with tensors of their own engine, of equal numbers, dtypes and strides; PyTorch's lie
    on a GPU where those given do. An array of floating point requires a gradient, a tensor where
    it says so. Compared are the results, their shapes and dtypes, whether they require a gradient;
    what became of the inputs; the gradients of every input, for random gradients from above
    (`gradients=False` leaves them out); with `second_order`, the gradients of the gradients; the
    classes of warnings that only `fn` gives; and, where either raises, the class of the error:
    what catches PyTorch's must catch ours. A name that neither knows (NameError, AttributeError)
    is the caller's slip, and raised.

    Numbers may differ by `ulp` units in the last place, gradients by `gradient_ulp` (twice `ulp`
    unless given), gradients of gradients by `second_order_ulp` of the largest number in sight, and
    only where PyTorch's is finite: at a pole, the way a formula is written decides between
    infinity and NaN. `scale` says of what ulp are counted: see the module's text.

    `seed` fixes the random numbers; a failure names the one it was found with. Unless given, it
    is 0 inside a Hypothesis test, what `--parity-seed` says under pytest, and new every time
    otherwise. Returns what was compared. Raises ModuleNotFoundError without PyTorch.

    >>> import numpy as np, torch, tinygrad_mnist
    >>> x = np.linspace(-2, 2, 5, dtype=np.float32)
    >>> assert_parity(tinygrad_mnist.tanh, torch.tanh, x, second_order=True).worst("values") < 4
    True
    """
    __tracebackhide__ = True
    options: Any = {"gradients": gradients, "second_order": second_order, "ulp": ulp, "seed": seed,
                    "gradient_ulp": gradient_ulp, "second_order_ulp": second_order_ulp,
                    "frameworks": frameworks}  # fmt: skip
    again = functools.partial(compare, fn, torch_fn, *inputs)
    comparison = again(**options, scale=scale)
    if comparison.differences():
        if comparison.names == _USUAL:
            comparison.hint = _hint(comparison, functools.partial(again, **options))
        raise ParityError(comparison)
    return comparison


_USUAL = Comparison(0).names
_NO_ROUNDING = 2**14
"""So many ulp are a fault: no option is named that would let it pass."""


def _hint(comparison: Comparison, again: Callable[..., Comparison]) -> str:
    """Which option would let the differences pass, where they may be rounding; else nothing."""
    if max([each.ulp for each in comparison.differences()]) > _NO_ROUNDING:
        return ""
    ways = [f'scale="{scale}"' for scale in ("terms", "largest", "sight")
            if not again(scale=scale).differences()]  # fmt: skip
    limits = {"ulp": comparison.values, "gradient_ulp": comparison.gradients,
              "second_order_ulp": comparison.second}  # fmt: skip
    worst = {name: max([each.ulp for each in found if each.too_large], default=0)
             for name, found in limits.items()}  # fmt: skip
    wider = [f"{name}={math.ceil(number)}" for name, number in worst.items() if number]
    return f"\n\nIf this is rounding, let it pass by {' or '.join([*ways, ', '.join(wider)])}"


def compare(
    fn: Callable[..., Any], torch_fn: Callable[..., Any], *inputs: Any,
    gradients: bool = True, second_order: bool = False, ulp: float = 4.0,
    gradient_ulp: float | None = None, second_order_ulp: float = 64.0, scale: Scale = "rounding",
    seed: int | None = None, frameworks: Sequence[str | Framework] | None = None,
) -> Comparison:  # fmt: skip
    """What `assert_parity` compares, returned and not judged."""
    pair = frameworks_of((fn, torch_fn), frameworks, scale == "rounding")
    if pair is not None:
        most = ulp, 2 * ulp if gradient_ulp is None else gradient_ulp, second_order_ulp
        return compare_across(
            pair, (fn, torch_fn), inputs, most, gradients, second_order,
            _seed() if seed is None else seed,
        )  # fmt: skip
    torch = pytorch()
    given = tuple(read(each) for each in inputs)
    used = _seed() if seed is None else seed
    orders: Any = {"seed": used, "gradients": gradients, "second_order": second_order}
    with _every_warning(torch):
        ours, engine = _observed((tinygrad_mnist, torch), fn, given, orders)
        theirs, _ = _observed((torch, tinygrad_mnist), torch_fn, given, orders)
    found = Comparison(used)
    if ours.error is not None or theirs.error is not None:
        _compare_errors(found, ours.error, theirs.error)
        return found
    found.facts.extend(_different_facts(ours, theirs))
    limits = (ulp, 2 * ulp if gradient_ulp is None else gradient_ulp)

    def count(scales: tuple[dict[str, Any], dict[str, Any]]) -> bool:
        """Compare values and gradients; whether any is too far."""
        pairs = ((ours.values, theirs.values), (ours.gradients, theirs.gradients))
        found.values, found.gradients = [
            list(compare_each(*pair, each, limit))
            for pair, each, limit in zip(pairs, scales, limits, strict=True)
        ]
        return any(each.too_large for each in (*found.values, *found.gradients))

    plain = None if scale == "rounding" else scale
    if count(_scales(plain, torch_fn, given, theirs, used)) and scale == "rounding":
        plainly = found.values, found.gradients
        asked: Any = {"seed": used, "gradients": bool(theirs.gradients)}
        side = (fn, ours) if engine is torch else (torch_fn, theirs)
        count(rounding_scales(side[0], given, side[1], asked))
        found.values, found.gradients = [
            [before if now.too_large else now for before, now in zip(*pair, strict=True)]
            for pair in zip(plainly, (found.values, found.gradients), strict=True)
        ]
    found.second.extend(_compare_second(ours, theirs, given, second_order_ulp))
    return found


def _observed(
    engines: tuple[Engine, Engine], function: Callable[..., Any], given: Any, orders: Any
) -> tuple[Outcome, Engine]:
    """What a function does with tensors of the first engine, or of the one whose tensors it wants.

    A function that calls the other engine's operations says that it got a Tensor, not a Tensor.
    """
    seen = observe(engines[0], function, given, **orders)
    if isinstance(seen.error, TypeError) and re.search(r"not Tensor|got \(Tensor", str(seen.error)):
        other = observe(engines[1], function, given, **orders)
        return (seen, engines[0]) if isinstance(other.error, TypeError) else (other, engines[1])
    return seen, engines[0]


@contextlib.contextmanager
def _every_warning(torch: Any) -> Iterator[None]:
    """Let PyTorch give all its warnings, those as well that it gives once in a process."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        yield
    finally:
        torch.set_warn_always(before)


def _compare_second(
    ours: Outcome, theirs: Outcome, given: Any, allowed: float
) -> Iterator[Difference]:
    in_sight = [*arrays_of(given), *theirs.values.values(), *theirs.gradients.values()]
    largest = _largest([*in_sight, *theirs.second.values()])
    finite = {
        name: np.where(np.isfinite(theirs.second[name]), number, theirs.second[name])
        for name, number in ours.second.items()
    }
    return compare_each(finite, theirs.second, dict.fromkeys(theirs.second, largest), allowed)


fixed_seed: int | None = None
"""The seed of every comparison that names none; the pytest plugin sets it."""


def _seed() -> int:
    if fixed_seed is not None:
        return fixed_seed
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is not None and hypothesis.currently_in_test_context():
        return 0
    return secrets.randbelow(2**32)


def _compare_errors(found: Comparison, ours: Exception | None, theirs: Exception | None) -> None:
    # The error's class, or Python's own class that it derives from: what `except` can name.
    kind = next(each for each in type(theirs).__mro__ if each.__module__ == "builtins")
    if theirs is None or not isinstance(ours, kind):
        mine, other = _error_text(ours), _error_text(theirs)
        found.facts.append(Difference("error", "", mine, other, np.inf, 0.0))
        return
    if isinstance(theirs, NameError | AttributeError) and _is_of_an_engine(theirs):
        raise theirs
    found.raised = type(theirs).__name__


def _is_of_an_engine(error: NameError | AttributeError) -> bool:
    """Whether the name was looked for in the function or in a tensor, not in a wrong argument."""
    looked_in = type(getattr(error, "obj", None))
    return isinstance(error, NameError) or looked_in.__module__.partition(".")[0] == "torch"


def _error_text(error: Exception | None) -> str:
    if error is None:
        return "none"
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first if len(first) < 80 else first[:77] + '...'}"


def _different_facts(ours: Outcome, theirs: Outcome) -> Iterator[Difference]:
    for name in {**theirs.facts, **ours.facts}:
        mine, other = ours.facts.get(name, "none"), theirs.facts.get(name, "none")
        if mine != other:
            yield Difference(name, "", str(mine), str(other), np.inf, 0.0)
    for category in sorted(ours.warned - theirs.warned):
        yield Difference("warning", "", category, "none", np.inf, 0.0)


def _largest(arrays: list[Any]) -> float:
    """The largest finite magnitude in `arrays`."""
    numbers = [a for a in arrays if a is not None and a.dtype.kind == "f"]
    return float(max([np.abs(a[np.isfinite(a)]).max(initial=0) for a in numbers], default=0.0))


def _scales(
    scale: Scale, torch_fn: Callable[..., Any], given: tuple[Any, ...], theirs: Outcome, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the ulp of each value and of each gradient are counted of; nothing: of each number."""
    if scale == "largest":
        return tuple(  # type: ignore[return-value]
            {name: _largest([a]) for name, a in found.items() if isinstance(a, np.ndarray)}
            for found in (theirs.values, theirs.gradients)
        )
    if scale == "sight":
        in_sight = [*arrays_of(given), *theirs.values.values(), *theirs.gradients.values()]
        largest = max(_largest(in_sight), 1.0)
        return dict.fromkeys(theirs.values, largest), dict.fromkeys(theirs.gradients, largest)
    orders: Any = {"seed": seed, "gradients": bool(theirs.gradients)}
    if scale is None:
        return {}, _broadcast_scales(torch_fn, given, theirs, orders)
    terms = torch_fn if scale == "terms" else scale
    if isinstance(terms, str):
        raise ValueError(
            "scale must be 'rounding', None, 'terms', 'largest', 'sight' or a function, "
            f"not '{scale}'"
        )
    found = observe(pytorch(), terms, given, **orders, absolute=True)
    return found.values, found.gradients


def _broadcast_scales(
    torch_fn: Callable[..., Any], given: tuple[Any, ...], theirs: Outcome, orders: Any
) -> dict[str, Any]:
    """For an elementwise function that broadcasts, each gradient's sum of absolute terms.

    They come from the gradients on inputs that were stretched beforehand.
    """
    shapes = [array.shape for array in arrays_of(given)]
    if len(set(shapes)) < 2 or not theirs.gradients:
        return {}
    try:
        full = np.broadcast_shapes(*shapes)
    except ValueError:
        return {}
    if theirs.facts.get("shape of value") != full:
        return {}
    stretched = tuple(
        each._replace(array=np.array(np.broadcast_to(each.array, full)))
        if isinstance(each, Given) else each
        for each in given
    )  # fmt: skip
    found = observe(pytorch(), torch_fn, stretched, **orders)
    return {
        name: None if terms is None or own is None else _summed(np.abs(terms), own.shape)
        for (name, own), terms in zip(
            theirs.gradients.items(), found.gradients.values(), strict=False
        )
    }


def _summed(array: Array, shape: tuple[int, ...]) -> Any:
    """`array` summed down to the shape it was broadcast from."""
    lead = array.ndim - len(shape)
    kept = tuple(d for d, n in enumerate(shape) if n == 1)
    return array.sum(axis=tuple(range(lead))).sum(axis=kept, keepdims=True)
