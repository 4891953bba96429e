"""Dimensions that are to be of any size from the first call on: a call of another size is tried.

The arguments are copied with more rows, the function is traced with them, and what that changed is
put back. Then the trace of the call itself is the second of its outline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.engine.tensor import Tensor, wrap

from .any_size import Programs
from .graph_capture import MadeState, captured
from .inputs import Arguments, Keywords, tensors_in
from .results import collected
from .settings import marked, static

_MOST_TRIED = 4
_REMAINDERS = 5
_Places = frozenset[tuple[int, int]]
"""Dimensions of arguments: which tensor among them, which dimension."""


def _distinct(args: Arguments) -> list[Any]:
    return list({id(each._array): each for each in tensors_in(args)}.values())


def static_places(args: Arguments) -> _Places:
    """The dimensions that were marked static."""
    return frozenset((n, d) for n, each in enumerate(_distinct(args)) for d in static(each))


def try_other_sizes(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments, programs: Programs
) -> None:
    """Trace calls of other sizes where dimensions are to be of any size.

    RuntimeError where the function allows none for a dimension that was marked so.
    """
    if programs.sized:
        return
    tensors = _distinct(args)
    strictly = {(n, d) for n, each in enumerate(tensors) for d in marked(each, True)}
    loosely = {(n, d) for n, each in enumerate(tensors) for d in marked(each, False)}
    for places in (strictly, loosely - strictly):
        done = not places or any(
            _was_traced(function, constants, args, programs, tried)
            for tried in _together(tensors, places)
        )
        if not done and places is strictly:
            n, d = min(places)
            raise RuntimeError(
                f"Constraints violated: dimension {d} of tensor {n} among the arguments was marked "
                f"dynamic, but the function allows no other size than {tensors[n].shape[d]}: use "
                "maybe_mark_dynamic, or mark the dimensions of that size of all arguments"
            )
    if programs.dynamic and not loosely:
        sizes = dict.fromkeys(n for each in tensors for n in each.shape if n > 1)
        for size in list(sizes)[:_MOST_TRIED]:
            places = {(n, d) for n, d in _all(tensors) if tensors[n].shape[d] == size}
            _was_traced(function, constants, args, programs, places - static_places(args))


def try_sizes_between(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments,
    programs: Programs, places: _Places,
) -> None:  # fmt: skip
    """Trace calls of the next sizes, whose remainders tell how sizes are divided."""
    if all(n < len(_distinct(args)) for n, _ in places):
        for more in range(1, _REMAINDERS):
            _was_traced(function, constants, args, programs, places, more)


def _all(tensors: Sequence[Any]) -> list[tuple[int, int]]:
    return [(n, d) for n, each in enumerate(tensors) for d in range(len(each.shape))]


def _together(tensors: Sequence[Any], places: set[tuple[int, int]]) -> Iterable[Any]:
    """These dimensions with others of their sizes: those of the same number, all, none."""
    sizes = {tensors[n].shape[d] for n, d in places}
    alike = {(n, d) for n, d in _all(tensors) if tensors[n].shape[d] in sizes}
    numbers = {d for _, d in places}
    yield places | {(n, d) for n, d in alike if d in numbers}
    yield alike
    yield places


def _was_traced(
    function: Callable[..., Any], constants: Sequence[Tensor], args: Arguments,
    programs: Programs, places: Iterable[tuple[int, int]], more: int = 3,
) -> bool:  # fmt: skip
    """Whether the function could be traced with arguments `more` longer in some dimensions.

    Where an optimiser makes its first step: whether that is left to a later call.
    """
    tensors = _distinct(args)
    longer: dict[int, Any] = {}
    for n, each in enumerate(tensors):
        array = each._array
        for d in range(array.ndim):
            if (n, d) in places:
                array = np.take(array, np.arange(array.shape[d] + more) % array.shape[d], d)
        longer[id(each._array)] = array
    try:
        with programs.building("", trying=True):
            found = captured(function, constants, tuple([_with(each, longer) for each in args]))
        return found is not None
    except MadeState:
        return True
    except Exception:  # whatever the function raises for a size that it does not allow
        return False


def _with(given: Any, arrays: dict[int, Any]) -> Any:
    """The same argument, its tensors with other arrays."""
    if isinstance(given, Tensor):
        array = arrays[id(given._array)]
        if array is given._array:
            return given
        return wrap(array).requires_grad_(given.requires_grad)
    if isinstance(given, tuple | list):
        return collected(given, [_with(each, arrays) for each in given])
    if isinstance(given, dict):
        kind = Keywords if isinstance(given, Keywords) else dict
        return kind({key: _with(each, arrays) for key, each in given.items()})
    return given
