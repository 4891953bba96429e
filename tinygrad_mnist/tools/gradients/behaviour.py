"""How a function behaves beside its numbers: whether it repeats itself, and what it writes over."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .findings import Finding
from .subject import Array, Subject, Watched

__all__ = ["behaviour", "elsewhere", "raised"]

_REPEATED = 16
"""Ulp of the largest number within which a second call is the same: threads sum in any order."""


def elsewhere(arrays: Sequence[Array], seed: int) -> list[Array]:
    """A point near by, at which a call is made first: what stays of it is stale."""
    random = np.random.default_rng(seed)
    return [
        np.asarray(each * (1 + random.uniform(-1, 1, each.shape) / 16), each.dtype)
        if each.dtype.kind == "f" else each
        for each in arrays
    ]  # fmt: skip


def behaviour(subject: Subject, above: Sequence[Array]) -> tuple[list[Finding], list[str]]:
    """Faults of a function whose gradients may be right, and what is worth a note."""
    findings = list(_repeats(subject, above))
    notes: list[str] = []
    if not subject.framework.traced:
        found, notes = _memory(subject, above)
        findings += found
    return findings, notes


def _repeats(subject: Subject, above: Sequence[Array]) -> list[Finding]:
    if not all(map(_same, subject.values(), subject.values())):
        return [Finding(
            "nondeterministic", "the function gives other values when it is called again",
            help="fix the seed inside of the function, or give the random numbers as an input",
        )]  # fmt: skip
    with contextlib.suppress(Exception):
        subject.gradients(above, elsewhere(subject.arrays, 1))
    pairs = zip(subject.gradients(above), subject.gradients(above), strict=True)
    for place, (one, other) in enumerate(pairs):
        if (one is None) is not (other is None) or (
            one is not None and other is not None and not _same(one, other)
        ):
            return [Finding(
                "nondeterministic", f"the gradient of input {place} is another one when it is "
                "taken again, of the same values", place,
                help="fix the seed, and keep for backward what this forward computed, not the last",
            )]  # fmt: skip
    return []


def _same(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    largest = float(np.max(np.abs(one), initial=0.0, where=np.isfinite(one)))
    room = _REPEATED * float(np.finfo(one.dtype).eps) * largest
    return bool(np.allclose(one, other, rtol=0, atol=room, equal_nan=True))


def _memory(subject: Subject, above: Sequence[Array]) -> tuple[list[Finding], list[str]]:
    """Writes to inputs and to gradients from above, and gradients that lie in others' memory."""
    watched = Watched(subject)
    framework = subject.framework
    framework.call(watched.function, subject.arrays)
    findings = _written(subject, watched, "forward")
    _, pull = framework.vjp(watched.function, subject.arrays)
    given = [np.array(each) for each in above]
    first = pull(given)
    if not findings:
        findings = _written(subject, watched, "backward")
    arrived = watched.above or given
    if not all(map(_equal, arrived, above)):
        findings.append(_above_written())
    elif not watched.above:
        findings += _shared_above(subject, above)
    kept = [None if each is None else np.array(each) for each in first]
    found, notes = _shared(watched, first)
    findings += found
    findings += _overwritten(subject, pull, first, kept, above)
    return findings, notes


def _equal(one: Array, other: Array) -> bool:
    return bool(np.array_equal(np.asarray(one), other, equal_nan=True))


def _written(subject: Subject, watched: Watched, when: str) -> list[Finding]:
    return [
        Finding(
            "input mutated", f"{when} writes to input {place}", place,
            help="compute on a copy: the caller's array must stay as it was",
        )
        for place, (now, was) in enumerate(zip(watched.inputs, subject.arrays, strict=False))
        if now is not None and not _equal(now, was)
    ]  # fmt: skip


def _above_written() -> Finding:
    return Finding(
        "gradient from above mutated", "backward writes to the gradient that it is given",
        help="compute on a copy: others are given the same array",
    )  # fmt: skip


def _shared_above(subject: Subject, above: Sequence[Array]) -> list[Finding]:
    """Whether backward writes to the gradient from above, which a sum gives to others too."""
    framework, count = subject.framework, len(subject.arrays)

    def summed(*tensors: Any) -> list[Any]:
        results = framework.floats(subject.function(*tensors[:count]))
        return [each + other for each, other in zip(results, tensors[count:], strict=True)]

    try:
        others = [np.zeros_like(each) for each in above]
        _, pull = framework.vjp(summed, [*subject.arrays, *others])
        arrived = pull([np.array(each) for each in above])[count:]
    except Exception:  # results that cannot be added to say nothing
        return []
    same = all(each is None or _equal(each, g) for each, g in zip(arrived, above, strict=True))
    return [] if same else [_above_written()]


def _shared(watched: Watched, found: Sequence[Array | None]) -> tuple[list[Finding], list[str]]:
    findings, notes = [], []
    for place, gradient in enumerate(found):
        if gradient is None:
            continue
        for other, array in enumerate(watched.inputs):
            if array is not None and np.may_share_memory(gradient, array):
                findings.append(Finding(
                    "gradient aliases an input", f"the gradient of input {place} lies in the "
                    f"memory of input {other}", place, help="return an array of its own",
                ))  # fmt: skip
        if any(np.may_share_memory(gradient, each) for each in watched.above):
            notes.append(f"the gradient of input {place} shares memory with the one from above")
        for other in range(place):
            before = found[other]
            if before is not None and np.may_share_memory(gradient, before):
                notes.append(f"the gradients of inputs {other} and {place} share memory")
    return findings, notes


def _overwritten(
    subject: Subject, pull: Any, first: Sequence[Array | None], kept: Sequence[Array | None],
    above: Sequence[Array],
) -> list[Finding]:  # fmt: skip
    with contextlib.suppress(Exception):  # the numbers are compared elsewhere
        pull([2 * each for each in above])
        subject.gradients([3 * each for each in above])
    return [
        Finding(
            "gradient overwritten", f"the gradient of input {place} is overwritten by the next "
            "call", place, help="return an array of its own, not a buffer that is used again",
        )
        for place, (now, was) in enumerate(zip(first, kept, strict=True))
        if now is not None and was is not None and not _equal(now, was)
    ]  # fmt: skip


_SHAPE = re.compile(r"[\[(]([\d, ]*)[\])]")


def raised(error: Exception, subject: Subject) -> Finding:
    """A backward that raises, with the pattern of the shapes that its message names."""
    text = f"{type(error).__name__}: {error}".strip()
    shapes = [
        tuple(int(each) for each in found.replace(",", " ").split())
        for found in _SHAPE.findall(str(error))
    ]
    named = [
        (_by_shape(shape, subject.arrays[i].shape), i)
        for i in subject.wanted if subject.arrays[i].shape in shapes
        for shape in shapes if shape != subject.arrays[i].shape
    ]  # fmt: skip
    named.sort(key=lambda each: each[0].startswith("wrong shape"))
    pattern, place = named[0] if named else (None, None)
    return Finding("backward raises", text, place, pattern)


def _by_shape(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    words = f"the gradient has shape {shape}, the input {wanted}"
    if sorted(shape) == sorted(wanted):
        return f"transposed: {words}"
    try:
        if np.broadcast_shapes(shape, wanted) == shape:
            return f"not summed over a broadcast axis: {words}"
    except ValueError:
        pass
    return f"wrong shape: {words}"
