"""`check_gradients`: a function's own gradients against what its values say, in any framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.tools.frameworks import Framework, Unsupported

from .behaviour import behaviour, elsewhere, raised
from .findings import Finding
from .numbers import Numbers
from .report import GradientError, GradientReport
from .script import script
from .shrinking import fitting, smallest
from .subject import Array, Subject, described, resolve

__all__ = ["check_gradients"]


_FORWARD = 1e-8
"""How far forward mode may be from the gradients, of the terms of their sums."""


@dataclass(frozen=True)
class _Options:
    second_order: bool
    forward_mode: bool | None
    seed: int
    elements: int
    loosen: float


def check_gradients(
    f: Any, *inputs: Any, framework: str | Framework | None = None, second_order: bool = False,
    forward_mode: bool | None = None, seed: int = 0, elements: int = 1000, loosen: float = 1.0,
    shrink: bool = True, raises: bool = True,
) -> GradientReport:  # fmt: skip
    """Hold the gradients of `f` at `inputs` against differences of its values; no second version.

    `f` takes tensors of its framework, one for each input, and returns one or several. Inputs are
    arrays of NumPy's or tensors, of any shapes and dtypes; the gradients of those of floating
    point are checked. The framework is told by the names that `f` uses unless `framework` says it:
    "torch", "jax", "autograd", "mygrad", "tinygrad", "tinygrad_mnist", or a pair
    `(forward, backward)` for NumPy.

    An input of up to `elements` numbers is checked element by element, a larger one in random
    directions. Steps are chosen by the error, bounds follow from it and from how far rounding moves
    the gradient; `loosen` multiplies them. A function of float32 is checked in float64 where it
    computes in that, and float32 is held against it. Checked as well: that the function repeats
    itself, leaves its inputs alone, and gives gradients with memory of their own; with
    `second_order` the gradients of the gradients; and forward mode where there is one, which
    `forward_mode=True` demands.

    Returns a report. With `raises`, a fault raises GradientError, whose `report` it is: it names
    the pattern of the fault, shows the worst elements, and with `shrink` the smallest inputs that
    fail alike and a script that replays it.

    Raises:
        GradientError: a gradient is wrong.
        TypeError: nothing here has a derivative, or the framework cannot be told.
        ValueError: an input has no elements, or the values are not finite.

    >>> import numpy as np
    >>> square = (lambda x: x * x, lambda g, x: 2 * g * x)
    >>> check_gradients(square, np.linspace(-1, 1, 5)).ok
    True
    >>> wrong = (lambda x: x * x, lambda g, x: g * x)
    >>> check_gradients(wrong, np.linspace(-1, 1, 5), raises=False).pattern
    'factor'
    """
    found, arrays = resolve(f, inputs, framework)
    options = _Options(second_order, forward_mode, seed, elements, loosen)
    report = _check(Subject(found, f, arrays), options)
    if not report.ok and shrink:
        _shrunk(report, found, f, options)
    if not report.ok and raises:
        raise GradientError(report)
    return report


def _shrunk(report: GradientReport, framework: Framework, f: Any, options: _Options) -> None:
    """Add the smallest inputs that fail alike, and the script."""

    def again(arrays: Sequence[Array]) -> GradientReport | None:
        try:
            return _check(Subject(framework, f, arrays), options)
        except Exception:  # these sizes do not fit together
            return None

    first = report.findings[0]
    if first.pattern is None and first.kind == "gradient":
        cut = fitting(
            report.arrays, lambda each: (found := again(each)) is not None and not found.ok
        )
        small = again(cut)
        if small is not None and small.findings and small.findings[0].pattern:
            first.pattern = small.findings[0].pattern

    def fails(arrays: Sequence[Array]) -> bool:
        found = again(arrays)
        return found is not None and found.pattern == report.pattern

    stays = report.pattern not in ("nondeterministic", "stale")
    report.smallest = smallest(report.arrays, fails) if stays else None
    arrays = report.arrays if report.smallest is None else report.smallest
    report.script = script(f, arrays, framework.name, options.seed, options.second_order)


def _check(subject: Subject, options: _Options) -> GradientReport:
    report = GradientReport(
        _name(subject.function),
        subject.framework.name, subject.arrays, options.seed,
    )  # fmt: skip
    above = _above(subject, options.seed)
    nearby = elsewhere(subject.arrays, options.seed)
    try:
        _called_elsewhere(subject, above[0], nearby)
        gradients = subject.gradients(above[0])
    except (Unsupported, ModuleNotFoundError):
        raise
    except Exception as error:
        if isinstance(error, TypeError) and "no gradients by itself" in str(error):
            raise
        report.findings.append(raised(error, subject))
        return report
    found, notes = behaviour(subject, above[0])
    report.notes += notes
    if any((each.kind in ("nondeterministic", "input mutated") and each.input is None) or
           each.kind == "input mutated" for each in found):  # fmt: skip
        report.findings += found
        return report
    _dtypes(subject, gradients, report)
    numbers = _numbers(subject, above, report, options, gradients, "gradient", nearby)
    if report.kinks and not report.findings:
        _beside_kinks(subject, above, report, options)
    if not any(each.name == "stale" for each in report.findings) and _repeats_not(found):
        report.findings = []  # of numbers that are others each time
    elif _repeats_not(found):
        found = [each for each in found if each.kind != "nondeterministic"]
    report.findings += found
    if options.forward_mode is not False and not report.findings:
        exact = max(_FORWARD, 4 * numbers.largest_error)
        _forward(numbers.precise or subject, above[0], report, options.loosen * exact, options)
    if options.second_order and not report.findings:
        _second_order(subject, above, report, options)
    return report


def _repeats_not(findings: Sequence[Finding]) -> bool:
    return any(each.kind == "nondeterministic" for each in findings)


def _name(function: Any) -> str:
    """What a function is called; a pair as its forward."""
    while isinstance(function, tuple | list):
        function = function[0]
    owner = getattr(function, "__self__", None)
    of = f"{owner.__name__}." if isinstance(owner, type) else ""
    return of + getattr(function, "__name__", type(function).__name__)


def _above(subject: Subject, seed: int) -> list[list[Array]]:
    """Two sets of random gradients from above; zero where a result is not finite."""
    result = subject.framework.call(subject.function, subject.arrays)
    values = [np.array(subject.framework.array(each)) for each in subject.framework.floats(result)]
    if not values:
        raise TypeError(
            f"the function returned {described(result)}: no result of floating point of "
            f"{subject.framework.name}, so there is nothing to differentiate"
        )
    if not any(np.isfinite(each).any() for each in values):
        raise ValueError("no value of the function is finite here: check it at other inputs")
    random = np.random.default_rng(seed)
    return [
        [np.where(np.isfinite(each), random.normal(size=each.shape), 0).astype(each.dtype)
         for each in values]
        for _ in range(2)
    ]  # fmt: skip


def _called_elsewhere(subject: Subject, above: Sequence[Array], nearby: Sequence[Array]) -> None:
    """Call the function and its backward at another point, for what it may keep of that."""
    try:
        subject.gradients(above, nearby)
    except Exception as error:
        # At the point itself it is told; near by it may be outside of the domain.
        del error


def _dtypes(subject: Subject, gradients: Sequence[Array | None], report: GradientReport) -> None:
    for place in subject.wanted:
        gradient, x = gradients[place], subject.arrays[place]
        if gradient is None or gradient.dtype == x.dtype:
            continue
        words = f"the gradient of input {place} is {gradient.dtype}, the input {x.dtype}"
        if gradient.dtype.kind == "f" and gradient.dtype.itemsize > x.dtype.itemsize:
            report.notes.append(words)
        else:
            report.findings.append(Finding("wrong dtype", words, place))


def _numbers(
    subject: Subject, above: list[list[Array]], report: GradientReport, options: _Options,
    gradients: Sequence[Array | None], kind: str, nearby: list[Array] | None = None,
) -> Numbers:  # fmt: skip
    numbers = Numbers(subject, above, kind, options.elements, options.loosen, nearby)
    numbers.run(gradients)
    report.findings += numbers.findings
    report.kinks += numbers.kinks
    report.notes += numbers.notes
    report.checked += numbers.checked
    report.undecided += numbers.undecided
    report.largest_error = max(report.largest_error, numbers.largest_error)
    return numbers


def _beside_kinks(
    subject: Subject, above: list[list[Array]], report: GradientReport, options: _Options
) -> None:
    """Compare at a point beside as well: what is wrong there was hidden by the kinks."""
    random = np.random.default_rng((options.seed, 2))
    beside = subject.at([
        np.asarray(each + random.normal(size=each.shape) * _scale(each) / 16, each.dtype)
        if each.dtype.kind == "f" else each for each in subject.arrays
    ])  # fmt: skip
    numbers = Numbers(beside, above, "gradient", options.elements, options.loosen)
    try:
        numbers.run(beside.gradients(above[0]))
    except Exception:  # outside of the domain
        return
    for each in numbers.findings:
        each.sentence += ", beside the kinks"
    report.findings += numbers.findings


def _scale(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) or 1.0


def _forward(
    subject: Subject, above: Sequence[Array], report: GradientReport, room: float, options: _Options
) -> None:
    """Σ above · (J u) by forward mode against Σ (Jᵀ above) · u by the gradients."""
    random = np.random.default_rng((options.seed, 1))
    tangents = [
        np.asarray(random.normal(size=each.shape), each.dtype) if each.dtype.kind == "f" else
        np.zeros_like(each) for each in subject.arrays
    ]  # fmt: skip
    try:
        pushed = subject.framework.jvp(subject.function, subject.arrays, tangents)
    except Exception as error:
        if options.forward_mode:
            words = f"{type(error).__name__}: {error}"
            report.findings.append(Finding("forward mode raises", words))
        return
    gradients = subject.gradients([g.astype(p.dtype) for g, p in zip(above, pushed, strict=True)])
    found = np.concatenate(
        [(g * p).ravel() for g, p in zip(_wide(above), _wide(pushed), strict=True)]
    )
    right = np.concatenate([(g * t).ravel() for g, t in zip(gradients, _wide(tangents), strict=True)
                            if g is not None] or [np.zeros(1)])  # fmt: skip
    eps = max(float(np.finfo(subject.arrays[i].dtype).eps) for i in subject.wanted)
    bound = max(room, 1e3 * eps) * float(np.abs(found).sum() + np.abs(right).sum())
    if not abs(found.sum() - right.sum()) <= bound and np.isfinite(right).all():
        report.findings.append(Finding(
            "tangent", f"forward mode gives {found.sum():.9g} in a random direction; the "
            f"gradients, which are right, give {right.sum():.9g}",
        ))  # fmt: skip


def _wide(arrays: Sequence[Array]) -> list[Array]:
    return [np.asarray(each, np.float64) for each in arrays]


def _second_order(
    subject: Subject, above: list[list[Array]], report: GradientReport, options: _Options
) -> None:
    """The gradients of the gradients, as gradients of the function that gives those."""
    function, count = subject.framework.gradients(subject.function, subject.arrays)
    again = Subject(subject.framework, function, [*subject.arrays, *above[0][:count]])
    higher = _above(again, options.seed + 2)
    try:
        gradients = again.gradients(higher[0])
    except Exception as error:
        report.findings.append(raised(error, again))
        report.findings[-1].kind = "second order raises"
        return
    _numbers(again, higher, report, options, gradients, "second order")
