"""Names for faults: what went wrong with a gradient, read off the wrong numbers and the right ones.

A wrong formula of a derivative rarely gives noise. It gives the right numbers transposed, negated,
divided by the number of rows, or with a part left out, and each of these leaves a pattern. The
functions here know nothing of frameworks: they see arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["PATTERNS", "Array", "name_fault"]

Array = np.ndarray[Any, Any]
PATTERNS = (
    "detached", "not a number", "not summed over a broadcast axis", "wrong shape", "stale", "sign",
    "transposed", "factor", "off by one", "reversed", "only the diagonal", "partly detached",
    "mask ignored", "symmetric",
)  # fmt: skip
"""The names there are; what `name_fault` says begins with one of them."""
_CLOSE = 1e-3
"""How near two numbers are that the same pattern gave; the right ones may come of differences."""


@dataclass
class _Fault:
    """A wrong gradient with what is known of the right one."""

    wrong: Array
    right: Array
    above: list[Array]
    jacobian: Array | None
    """A row for each number of the results, one result after another; a column for each input's."""
    earlier: Array | None
    x: Array | None
    values: Array | None
    sizes: dict[str, int] = field(default_factory=dict)

    def same(self, one: Array, other: Array) -> bool:
        """Whether two arrays are the same up to the errors of differences."""
        if one.shape != other.shape or not np.all(np.isfinite(one)):
            return False
        largest = float(np.max(np.abs(self.right), initial=0.0))
        return np.allclose(one, other, rtol=_CLOSE, atol=_CLOSE * 0.1 * largest)

    def is_wrong(self, one: Array) -> bool:
        """Whether the wrong gradient is this array."""
        return self.same(self.wrong, one)

    def terms(self) -> Iterator[tuple[int, Array]]:
        """For each result, gradient from above times Jacobian: its shape, then the input's."""
        if self.jacobian is None:
            return
        start = 0
        for number, above in enumerate(self.above):
            rows = self.jacobian[start : start + above.size]
            start += above.size
            yield number, (above.reshape(-1, 1) * rows).reshape(above.shape + self.right.shape)


def name_fault(
    wrong: Array | None, right: Array, above: Array | Sequence[Array] | None = None,
    jacobian: Array | None = None, *, earlier: Array | None = None, x: Array | None = None,
    values: Array | None = None,
    sizes: dict[str, int] | None = None,
) -> str | None:  # fmt: skip
    """What pattern the numbers of a wrong gradient have; None where they have none.

    `wrong` and `right` are gradients with respect to one input. More patterns are known where
    more is given: the gradients from `above`, one for each result; the `jacobian`, with a row for
    each number of the results and a column for each of the input; `earlier`, the right gradient at
    the input of an earlier call; `x`, the input; `values`, the only result; and `sizes` to name
    factors by, beside those of the arrays. The sentence begins with one of `PATTERNS` and a colon.

    >>> name_fault(np.array([[1.0, 3.0], [2.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    'transposed: the right numbers with axes in the order (1, 0)'
    """
    right = np.asarray(right, np.float64)
    if wrong is None:
        return "detached: there is no gradient at all" if right.any() else None
    given = [] if above is None else [above] if isinstance(above, np.ndarray) else list(above)
    fault = _Fault(
        np.asarray(wrong, np.float64), right, [np.asarray(each, np.float64) for each in given],
        None if jacobian is None else np.asarray(jacobian, np.float64), earlier, x, values,
        sizes or {},
    )  # fmt: skip
    if fault.wrong.shape != right.shape:
        return _shape(fault)
    if fault.is_wrong(right):
        return None
    with np.errstate(all="ignore"):
        for look in _LOOKS:
            if sentence := look(fault):
                return sentence
    return None


def _shape(fault: _Fault) -> str:
    wrong, right = fault.wrong, fault.right
    words = f"it has shape {wrong.shape}, the input {right.shape}"
    for axes in itertools.permutations(range(right.ndim)):
        if wrong.ndim == right.ndim and fault.is_wrong(right.transpose(axes)):
            return f"transposed: the right numbers with axes in the order {axes}; {words}"
    for count in range(1, wrong.ndim + 1):
        for axes in itertools.combinations(range(wrong.ndim), count):
            for kept in (False, True):
                summed = wrong.sum(axes, keepdims=kept)
                if summed.shape == right.shape and fault.same(summed, right):
                    named = ", ".join(str(axis) for axis in axes)
                    return f"not summed over a broadcast axis: its sum over axis {named} is right"
    return f"wrong shape: {words}"


def _nan(fault: _Fault) -> str | None:
    bad = ~np.isfinite(fault.wrong) & np.isfinite(fault.right)
    if not bad.any():
        return None
    value = "NaN" if np.isnan(fault.wrong[bad]).any() else "infinite"
    return f"not a number: {bad.sum()} of {bad.size} are {value} where the derivative is finite"


def _zero(fault: _Fault) -> str | None:
    return None if fault.wrong.any() else "detached: the gradient is zero everywhere"


def _stale(fault: _Fault) -> str | None:
    if fault.earlier is not None and fault.is_wrong(fault.earlier):
        return "stale: this is the right gradient for the input of an earlier call"
    return None


def _sign(fault: _Fault) -> str | None:
    return "sign: the right numbers with the other sign" if fault.is_wrong(-fault.right) else None


def _transposed(fault: _Fault) -> str | None:
    identity = tuple(range(fault.right.ndim))
    for axes in itertools.permutations(identity):
        if axes != identity and fault.is_wrong(fault.right.transpose(axes)):
            return f"transposed: the right numbers with axes in the order {axes}"
    shape = fault.right.shape
    for axes in itertools.permutations(identity):
        if axes != identity and fault.is_wrong(fault.right.transpose(axes).reshape(shape)):
            return f"transposed: the right numbers in the order of axes {axes}, reshaped to {shape}"
    return None


def _factor(fault: _Fault) -> str | None:
    """The wrong numbers are the right ones times one number, of which there is more than one."""
    squared = float((fault.right**2).sum())
    factor = float((fault.wrong * fault.right).sum()) / squared if squared else 0.0
    if not factor or not math.isfinite(factor) or not fault.same(fault.wrong / factor, fault.right):
        return None
    named = _known(fault, abs(factor))
    if fault.right.size == 1 and not named:  # of one number every other is a multiple
        return None
    sign = ", and with the other sign" if factor < 0 else ""
    return f"factor: the right numbers times {named or f'{abs(factor):.4g}'}{sign}"


def _known(fault: _Fault, factor: float) -> str:
    """A factor as a size, or one over a size, of what is there."""
    sizes = dict(fault.sizes)
    results = fault.above
    for number, each in enumerate(results):
        of = "the result" if len(results) == 1 else f"result {number}"
        sizes |= {f"the size of axis {axis} of {of}": n for axis, n in enumerate(each.shape)}
        sizes[f"the number of elements of {of}"] = each.size
    sizes |= {f"the size of axis {axis} of the input": n
              for axis, n in enumerate(fault.right.shape)}  # fmt: skip
    sizes["the number of elements of the input"] = fault.right.size
    for which in (factor, 1 / factor):
        near = [words for words, size in sizes.items() if size > 1 and _is(which, size)]
        whole = round(which)
        if near or (2 <= whole <= 64 and _is(which, whole)):
            words = f" ({'; '.join(near[:2])}{'; …' * (len(near) > 2)})" if near else ""
            return f"{'' if which == factor else '1/'}{whole}{words}"
    return ""


def _is(number: float, size: float) -> bool:
    return abs(number - size) <= _CLOSE * size


def _shifted(fault: _Fault) -> str | None:
    wrong, right = fault.wrong, fault.right
    for axis, size in enumerate(right.shape):
        a, b = np.moveaxis(wrong, axis, 0), np.moveaxis(right, axis, 0)
        for step in (1, -1):
            words = f"the right numbers, moved by {step} along axis {axis}"
            if size > 1 and fault.same(a, np.roll(b, step, 0)):
                return f"off by one: {words}, around the end"
            inner = slice(1, None) if step > 0 else slice(None, -1)
            source = slice(None, -1) if step > 0 else slice(1, None)
            edge = a[0] if step > 0 else a[-1]
            enough = size > 3 or (size > 2 and not edge.any())
            if enough and b[source].any() and fault.same(a[inner], b[source]):
                return f"off by one: {words}"
    for axis in range(right.ndim):
        if fault.is_wrong(np.flip(right, axis)):
            return f"reversed: the right numbers backwards along axis {axis}"
    return None


def _symmetric(fault: _Fault) -> str | None:
    if fault.right.ndim < 2 or fault.right.shape[-1] != fault.right.shape[-2]:
        return None
    if fault.is_wrong((fault.right + np.swapaxes(fault.right, -1, -2)) / 2):
        return (
            "symmetric: half of the right numbers and of their transpose; that is right for "
            "x ↦ f((x + xᵀ) / 2), where the function reads one triangle of a matrix"
        )
    return None


def _slice(fault: _Fault) -> str | None:
    """One slice of the results counts, or one of several results."""
    words = "not summed over a broadcast axis: only"
    for number, terms in fault.terms():
        own = fault.above[number].ndim
        for axis in range(own):
            rest = tuple(i for i in range(own - 1))
            for at in range(terms.shape[axis]):
                if terms.shape[axis] > 1 and fault.is_wrong(terms.take(at, axis).sum(rest)):
                    return f"{words} index {at} of axis {axis} of the result is counted"
    return None


def _results(fault: _Fault) -> str | None:
    parts = {n: terms.sum(tuple(range(fault.above[n].ndim))) for n, terms in fault.terms()}
    for number, part in parts.items():
        if len(parts) > 1 and part.any() and fault.is_wrong(fault.right - part):
            return f"partly detached: the gradient from above of result {number} is not counted"
    return None


def _diagonal(fault: _Fault) -> str | None:
    jacobian = fault.jacobian
    if jacobian is None or len(fault.above) != 1 or fault.above[0].size != fault.right.size:
        return None
    above = fault.above[0].reshape(-1)
    diagonal = (above * np.diagonal(jacobian)).reshape(fault.right.shape)
    if fault.is_wrong(diagonal):
        return "only the diagonal: of the Jacobian matrix, ∂ result[i] / ∂ input[i], is counted"
    if diagonal.any() and fault.is_wrong(fault.right - diagonal):
        return "partly detached: the diagonal of the Jacobian matrix is not counted"
    return None


def _masked(fault: _Fault) -> str | None:
    """Right but for elements that are zero on one of the two sides."""
    wrong, right = fault.wrong, fault.right
    largest = float(np.max(np.abs(right), initial=0.0))
    differ = ~np.isclose(wrong, right, rtol=_CLOSE, atol=_CLOSE * 0.1 * largest)
    if not differ.any() or (differ.all() and right.any()):
        return None
    none = np.abs(right) <= _CLOSE * 1e-3 * largest
    if np.all(none[differ]):
        return (
            f"mask ignored: a gradient flows to {differ.sum()} of {differ.size} elements "
            "on which the function does not depend"
            + (", as a straight-through estimator lets it" if not right.any() else "")
        )
    if not wrong[differ].any():
        return (
            f"mask ignored: the gradient is zero at {differ.sum()} of {differ.size} elements "
            "on which the function depends"
        )
    return None


def _partly(fault: _Fault) -> str | None:
    """What is missing is one factor's part, or what a sum or a norm over an axis would give."""
    missing = fault.right - fault.wrong
    if not missing.any():
        return None
    if fault.x is not None and fault.values is not None and fault.x.shape == fault.values.shape:
        direct = fault.above[0].reshape(fault.x.shape) * fault.values / fault.x
        if fault.is_wrong(direct):
            return "partly detached: of x · h(x), the part that comes through h is missing"
        if fault.same(missing, direct):
            return "partly detached: of x · h(x), only the part that comes through h is counted"
    through: list[tuple[str, list[Array]]] = [("a sum or mean", [np.ones_like(missing)])]
    if fault.x is not None and fault.x.shape == missing.shape:
        x = np.asarray(fault.x, np.float64)
        through.append(("a norm or a weight", [x]))
        through.append(("a variance", [np.ones_like(x), x]))
    axes = [(axis,) for axis in range(missing.ndim)]
    for over in [*axes, tuple(range(missing.ndim))][: 1 if missing.ndim == 1 else None]:
        for words, basis in through:
            if _spanned(missing, basis, over, fault):
                named = f"axis {over[0]}" if len(over) == 1 else "all axes"
                return f"partly detached: what comes through {words} over {named} is missing"
    return None


def _spanned(missing: Array, basis: list[Array], over: tuple[int, ...], fault: _Fault) -> bool:
    """Whether along the axes what is missing is made of the basis, with numbers to spare."""

    def lines(array: Array) -> Array:
        moved = np.moveaxis(array, over, range(-len(over), 0))
        return moved.reshape(-1, math.prod(missing.shape[axis] for axis in over))

    wanted, columns = lines(missing), np.stack([lines(each) for each in basis], -1)
    if wanted.shape[1] < len(basis) + 2:
        return False
    largest = float(np.max(np.abs(fault.right)))
    if np.max(np.abs(missing)) <= _CLOSE * largest:
        return False
    for line, column in zip(wanted, columns, strict=True):
        weights = np.linalg.lstsq(column, line, rcond=None)[0]
        rest = np.abs(line - column @ weights)
        if np.max(rest) > _CLOSE * np.max(np.abs(missing)):
            return False
    return True


_LOOKS: tuple[Callable[[_Fault], str | None], ...] = (
    _nan, _zero, _stale, _sign, _transposed, _slice, _factor, _results, _diagonal, _shifted,
    _symmetric, _masked, _partly,
)  # fmt: skip
