"""`check_gradients`: a function's own gradients against what its values say, in any framework."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.tools.frameworks import Framework, Unsupported

from .behaviour import behaviour, elsewhere, raised
from .findings import Finding
from .numbers import Numbers
from .report import GradientError, GradientReport
from .subject import Array, Subject, described, resolve

__all__ = ["check_gradients"]


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
    from .script import script
    from .shrinking import smallest

    def fails(arrays: Sequence[Array]) -> bool:
        try:
            again = _check(Subject(framework, f, arrays), options)
        except Exception:  # these sizes do not fit together
            return False
        return again.pattern == report.pattern

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
    _numbers(subject, above, report, options, gradients, "gradient", nearby)
    stale = any(each.name == "stale" for each in report.findings)
    report.findings += [each for each in found if not (stale and each.kind == "nondeterministic")]
    if options.forward_mode is not False and not report.findings:
        _forward(subject, above[0], gradients, report, options)
    if options.second_order and not report.findings:
        _second_order(subject, above, report, options)
    return report


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
) -> None:  # fmt: skip
    numbers = Numbers(subject, above, kind, options.elements, options.loosen, nearby)
    numbers.run(gradients)
    report.findings += numbers.findings
    report.kinks += numbers.kinks
    report.notes += numbers.notes
    report.checked += numbers.checked
    report.undecided += numbers.undecided
    report.largest_error = max(report.largest_error, numbers.largest_error)


def _forward(
    subject: Subject, above: Sequence[Array], gradients: Sequence[Array | None],
    report: GradientReport, options: _Options,
) -> None:  # fmt: skip
    """Σ above · (J u) by forward mode against Σ (Jᵀ above) · u by the gradients."""
    random = np.random.default_rng(options.seed + 1)
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
    right = [float(np.vdot(g, t)) for g, t in zip(gradients, tangents, strict=True)
             if g is not None]  # fmt: skip
    terms = [float(np.sum(np.abs(np.asarray(v, np.float64) * p)))
             for v, p in zip(above, pushed, strict=True)]  # fmt: skip
    found = sum(float(np.vdot(np.asarray(v, np.float64), p))
                for v, p in zip(above, pushed, strict=True))  # fmt: skip
    eps = max(float(np.finfo(each.dtype).eps) for each in subject.arrays if each.dtype.kind == "f")
    room = options.loosen * eps * 1e3 * (math.fsum(terms) + math.fsum(map(abs, right)))
    if not abs(found - math.fsum(right)) <= room and math.isfinite(math.fsum(right)):
        report.findings.append(Finding(
            "tangent", f"forward mode gives {found:.9g} in a random direction; the gradients, "
            f"which are right, give {math.fsum(right):.9g}",
        ))  # fmt: skip


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
