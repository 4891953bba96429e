"""Gradients held against differences: the elements that are wrong, those at kinks, the pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .findings import Element, Finding, Kink, elements
from .patterns import name_fault
from .rounding import float32_errors, moved_by_an_ulp
from .slopes import Numeric, Numerics
from .subject import Array, Subject, replaced

__all__ = ["Numbers"]

_JACOBIAN = 20_000
"""The largest Jacobian matrix that is computed to find a pattern, in numbers."""
_PROJECTIONS = 6
_DIFFERENCES = 6.0
"""The room for the error of differences, which is an estimate."""
_CONDITION = 16.0
_SPREAD = 8.0
_OF_THE_LARGEST = 4
"""Ulp of the largest gradient by which float32 may differ anywhere: terms of its size cancel.

Where all of them are small, as where tanh is flat, terms as large as those from above do.
"""
_RELATIVE = 1e-7
"""What is less than this part of a gradient in float64 is no fault of a formula."""


@dataclass
class Numbers:
    """The comparison of one function's gradients, at one point, and what came of it."""

    subject: Subject
    aboves: list[list[Array]]
    kind: str = "gradient"
    limit: int = 1000
    loosen: float = 1.0
    earlier: list[Array] | None = None
    findings: list[Finding] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    precise: Subject | None = None
    """The function in float64, where the inputs are not and it computes in that."""
    checked: int = 0
    undecided: int = 0
    largest_error: float = 0.0

    def run(self, gradients: Sequence[Array | None]) -> None:
        """Compare the `gradients` that belong to the first of the gradients from above."""
        precise = self.precise = self._precise()
        exact = self.subject if precise is None else precise
        kinds = {each.dtype.name for each in self.subject.arrays if each.dtype.kind == "f"}
        if precise is None and kinds != {"float64"}:
            self.notes.append(
                f"it computes in {', '.join(sorted(kinds))} alone: differences are as good as that "
                "allows, and bounds are wider; give float64 inputs for narrow ones"
            )
        narrow, mine = self.aboves, gradients
        if precise is not None:
            self.aboves = [replaced(above, np.float64) for above in narrow]
            mine = precise.gradients(self.aboves[0])
        others = [exact.gradients(above) for above in self.aboves[1:]]
        moved = moved_by_an_ulp(exact, self.aboves[0], mine, _eps(exact))
        for place in exact.wanted:
            rows = [mine[place], *[each[place] for each in others]]
            self._input(exact, place, rows, moved[place])
        if precise is not None and not self.findings:
            self._narrow(narrow[0], gradients)

    def _precise(self) -> Subject | None:
        """The function at the same point in float64, where it computes in that; else None."""
        if all(self.subject.arrays[i].dtype == np.float64 for i in self.subject.wanted):
            return None
        wide = self.subject.at(replaced(self.subject.arrays, np.float64))
        try:
            narrow, results = self.subject.values(), wide.values()
            found = wide.gradients([np.ones_like(each) for each in results])
        except Exception:  # no float64 there
            return None
        kinds = [each.dtype for each in (*results, *found) if each is not None]
        if any(kind != np.float64 for kind in kinds):
            return None
        if not all(map(_near, narrow, results)):
            self.notes.append("values in float32 and in float64 differ by more than a hundredth")
        return wide

    def _input(
        self, exact: Subject, place: int, rows: list[Array | None], moved: Array | None
    ) -> None:
        """Compare the gradients of one input, for each of the gradients from above."""
        x = exact.arrays[place]
        numerics = Numerics(exact, place, self.aboves)
        if x.size > self.limit:
            self._projected(exact, numerics, rows, moved)
            return
        scale = max([_largest(each) for each in rows if each is not None], default=0.0)
        numeric = numerics.gradient(scale)
        for number, row in enumerate(rows):
            wrong = np.zeros(x.shape) if row is None else row
            if wrong.shape != x.shape:
                self._found(exact, place, number, row, numeric, np.ones(x.shape, bool), [])
                return
            value, error = numeric.value[number], numeric.error[number]
            bound = self._bound(numerics, wrong, value, error, moved)
            bad = self._bad(numerics, wrong, value, bound)
            bad = self._without_kinks(numerics, number, wrong, numeric, bound, bad)
            if number == 0:
                self._count(numeric, scale)
            if bad.any():
                self._wrong(exact, place, number, row, numeric, bound, bad, moved)
                return

    def _bound(
        self, numerics: Numerics, wrong: Array, value: Array, error: Array, moved: Array | None
    ) -> Array:
        eps = _eps(numerics.subject)
        with np.errstate(all="ignore"):
            largest = np.max(np.abs(value), initial=0.0, where=np.isfinite(value))
            rounding = _CONDITION * (
                _or_zero(moved, wrong) + max(eps, numerics.coarseness) * largest
            )
            relative = (_RELATIVE if eps < 1e-12 else 4 * eps) * np.abs(value)
            bound = self.loosen * (_DIFFERENCES * error + rounding + relative)
        return np.asarray(np.where(np.isfinite(bound), bound, np.inf))

    @staticmethod
    def _bad(numerics: Numerics, wrong: Array, value: Array, bound: Array) -> Array:
        """The elements beyond their bound; NaN is no fault where the function itself is none."""
        with np.errstate(all="ignore"):
            far = np.abs(wrong - value) > bound
        known = np.isfinite(value) & np.isfinite(bound)
        if numerics.finite:
            far |= ~np.isfinite(wrong)
        return np.asarray(far & known)

    def _without_kinks(
        self, numerics: Numerics, number: int, wrong: Array, numeric: Numeric, bound: Array,
        bad: Array,
    ) -> Array:  # fmt: skip
        """The bad elements but for kinks; those near to one are computed again, nearer."""
        left = bad.copy()
        for flat in np.flatnonzero(bad):
            index = np.unravel_index(int(flat), bad.shape)
            analytic = float(wrong[index])
            kink = numerics.kink(int(flat), analytic)
            if isinstance(kink, Kink):
                left[index] = False
                if all(each.index != kink.index or each.input != kink.input for each in self.kinks):
                    self.kinks.append(kink)
            elif kink is not None:
                value, error = numerics.element(int(flat), 0.0, kink - 1)
                numeric.put(int(flat), value, error)
                room = bound[index] + _DIFFERENCES * error[number]
                left[index] = abs(analytic - value[number]) > room
        return left

    def _count(self, numeric: Numeric, scale: float) -> None:
        """How many elements were compared, and how many of them differences could not decide."""
        largest = max(scale, _largest(numeric.value))
        unknown = ~(numeric.error[0] <= 0.05 * np.maximum(np.abs(numeric.value[0]), 0.1 * largest))
        self.checked += unknown.size
        self.undecided += int(unknown.sum()) if largest else 0
        known = numeric.error[0][~unknown]
        if largest and known.size:
            self.largest_error = max(self.largest_error, float(known.max()) / largest)

    def _wrong(
        self, exact: Subject, place: int, number: int, row: Array | None, numeric: Numeric,
        bound: Array, bad: Array, moved: Array | None,
    ) -> None:  # fmt: skip
        wrong = np.zeros(bad.shape) if row is None else row
        value, error = numeric.value[number], numeric.error[number]
        where = np.where(bad, bound, np.inf)
        worst = elements(wrong, value, error, where, _or_zero(moved, wrong))[: int(bad.sum())]
        self._found(exact, place, number, row, numeric, bad, worst)

    def _found(
        self, exact: Subject, place: int, number: int, row: Array | None, numeric: Numeric,
        bad: Array, worst: list[Element],
    ) -> None:  # fmt: skip
        right = numeric.value[number]
        shown = row
        if row is not None and row.shape == bad.shape:  # kinks and rounding are no part of it
            shown = np.where(bad, row, right)
        known = np.where(np.isfinite(right), right, 0.0)
        values, scale = exact.values(), _largest(known)
        pattern = name_fault(
            shown, known, self.aboves[number], self._jacobian(exact, place, scale),
            earlier=self._earlier(exact, place, number, scale), x=exact.arrays[place],
            values=values[0] if len(values) == 1 else None,
        )  # fmt: skip
        count = int(bad.sum())
        words = "there is none" if row is None else f"{count} of {bad.size} elements are wrong"
        self.findings.append(
            Finding(self.kind, words, place, pattern, worst, count, bad.size, _help(worst))
        )

    def _jacobian(self, exact: Subject, place: int, scale: float) -> Array | None:
        """A row for each number of the results; None where there would be too many."""
        results = exact.values()
        count, size = sum(each.size for each in results), exact.arrays[place].size
        if count * size > _JACOBIAN:
            return None
        units = []
        for flat in range(count):
            unit = np.zeros(count)
            unit[flat] = 1.0
            parts = np.split(unit, np.cumsum([each.size for each in results])[:-1])
            units.append([p.reshape(r.shape) for p, r in zip(parts, results, strict=True)])
        found = Numerics(exact, place, units).gradient(scale).value.reshape(count, size)
        return np.where(np.isfinite(found), found, 0.0)

    def _earlier(self, exact: Subject, place: int, number: int, scale: float) -> Array | None:
        """The right gradient at the point of the earlier call."""
        if self.earlier is None:
            return None
        before = exact.at([a.astype(b.dtype) for a, b in
                           zip(self.earlier, exact.arrays, strict=True)])  # fmt: skip
        right = Numerics(before, place, [self.aboves[number]]).gradient(scale)
        return np.asarray(right.value[0])

    # Large inputs

    def _projected(
        self, exact: Subject, numerics: Numerics, rows: list[Array | None], moved: Array | None
    ) -> None:
        """Compare in random directions; where one is wrong, halve it until elements are left."""
        place, x = numerics.place, numerics.x
        first = np.zeros(x.shape) if rows[0] is None else rows[0]
        if first.shape != x.shape:
            words = f"the gradient has shape {first.shape}, the input {x.shape}"
            self.findings.append(Finding(self.kind, words, place, f"wrong shape: {words}"))
            return
        random = np.random.default_rng(place)
        self.checked += x.size
        if not np.all(np.isfinite(first)) and numerics.finite:
            bad = np.flatnonzero(~np.isfinite(first))[:8]
        else:
            wrong = None
            for _ in range(_PROJECTIONS):
                direction = numerics.direction(random)
                if self._differs(exact, numerics, first, moved, direction):
                    wrong = direction
                    break
            if wrong is None:
                return
            bad = np.array(list(self._halved(exact, numerics, first, moved, wrong)), int)
        self._confirm(exact, numerics, rows[0], moved, bad)

    def _differs(
        self, exact: Subject, numerics: Numerics, wrong: Array, moved: Array | None, along: Array
    ) -> bool:
        terms = wrong * along
        value, error = numerics.projected(along, float(np.sqrt(np.sum(terms**2))))
        with np.errstate(all="ignore"):
            rounding = float(np.sum(_or_zero(moved, wrong) * np.abs(along)))
            eps = max(_eps(exact), numerics.coarseness)
            rounding += eps * float(np.sum(np.abs(terms)))
        relative = _RELATIVE * float(np.sqrt(np.sum(terms**2)))
        bound = self.loosen * (_DIFFERENCES * error[0] + _CONDITION * rounding + relative)
        return bool(np.isfinite(bound) and abs(float(terms.sum()) - value[0]) > bound)

    def _halved(
        self, exact: Subject, numerics: Numerics, wrong: Array, moved: Array | None, along: Array
    ) -> list[int]:
        """Some elements that are wrong: parts of a direction that differs, halved."""
        parts = [np.flatnonzero(along)]
        found: list[int] = []
        while parts and len(found) < 8:
            part = parts.pop()
            masked = np.zeros(along.size)
            masked[part] = along.reshape(-1)[part]
            if not self._differs(exact, numerics, wrong, moved, masked.reshape(along.shape)):
                continue
            if part.size == 1:
                found.append(int(part[0]))
            else:
                parts += [part[part.size // 2 :], part[: part.size // 2]]
        return found

    def _confirm(
        self, exact: Subject, numerics: Numerics, row: Array | None, moved: Array | None, bad: Array
    ) -> None:
        """A finding of the elements that halving led to, but for kinks."""
        wrong = np.zeros(numerics.x.shape) if row is None else row
        numeric = Numeric(*np.zeros((2, len(self.aboves), *wrong.shape)))
        value, error = numeric.value, numeric.error
        mask = np.zeros(wrong.shape, bool)
        for flat in bad:
            index = np.unravel_index(int(flat), wrong.shape)
            numeric.put(int(flat), *numerics.element(int(flat), 0.0))
            mask[index] = True
        bound = self._bound(numerics, wrong, value[0], error[0], moved)
        mask &= self._bad(numerics, wrong, value[0], bound)
        mask = self._without_kinks(numerics, 0, wrong, numeric, bound, mask)
        if not mask.any():
            if not bad.size:
                self.notes.append(
                    f"input {numerics.place}: a random projection differs, no element does"
                )
            return
        where = np.where(mask, bound, np.inf)
        worst = elements(wrong, value[0], error[0], where, _or_zero(moved, wrong))
        worst = worst[: int(mask.sum())]
        pattern = None
        if not wrong.any():
            pattern = (
                "detached: the gradient is zero everywhere"
                if row is not None
                else ("detached: there is no gradient at all")
            )
        elif not np.all(np.isfinite(wrong)):
            pattern = "not a number: where the derivative is finite"
        words = f"found by random projections: {len(worst)} of its wrong elements"
        self.findings.append(
            Finding(self.kind, words, numerics.place, pattern, worst, len(worst), wrong.size)
        )

    # float32

    def _narrow(self, above: Sequence[Array], gradients: Sequence[Array | None]) -> None:
        """Compare gradients in float32 with those in float64, which are right."""
        errors, spreads = float32_errors(self.subject, above)
        wide = self.subject.at(replaced(self.subject.arrays, np.float64))
        right = wide.gradients(replaced(above, np.float64))
        eps = float(max(np.finfo(self.subject.arrays[i].dtype).eps for i in self.subject.wanted))
        moved = moved_by_an_ulp(wide, above, right, eps)
        for place in self.subject.wanted:
            error, spread, true, own = (
                errors[place], spreads[place], right[place], gradients[place]
            )  # fmt: skip
            if error is None or spread is None or true is None or own is None:
                continue
            usual = float(np.median(spread))
            rounding = np.maximum(spread, usual) + _or_zero(moved[place], own)
            rounding += eps * np.abs(true) + _OF_THE_LARGEST * eps * _largest(true)
            x = np.abs(wide.arrays[place])
            rounding += 2 * eps * max(map(_largest, above)) / np.maximum(x, 1)
            bound = self.loosen * _SPREAD * rounding
            bad = np.abs(error) > bound
            if bad.any():
                where = np.where(bad, bound, np.inf)
                worst = elements(own, true, 0 * bound, where, _or_zero(moved[place], own))
                self.findings.append(Finding(
                    self.kind, f"{bad.sum()} of {bad.size} elements are right in float64 and wrong "
                    f"in {own.dtype}", place,
                    name_fault(np.where(bad, own, true), true, above, x=wide.arrays[place]),
                    worst[: int(bad.sum())], int(bad.sum()), bad.size, _help(worst),
                ))  # fmt: skip


def _help(worst: Sequence[Element]) -> str:
    """What to do about elements that miss their bound by little."""
    if not worst:
        return ""
    over = max(abs(each.analytic - each.right) / each.bound if each.bound else np.inf
               for each in worst)  # fmt: skip
    if not over < 100:
        return ""
    return (
        f"it misses the bound {over:.2g} times: where that may be rounding, check in float64, or "
        "at inputs nearer to 1; loosen=… multiplies every bound"
    )


def _or_zero(moved: Array | None, like: Array) -> Array:
    return np.zeros(like.shape) if moved is None or moved.shape != like.shape else moved


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0, where=np.isfinite(array)))


def _eps(subject: Subject) -> float:
    return float(max(np.finfo(subject.arrays[i].dtype).eps for i in subject.wanted))


def _near(narrow: Array, wide: Array) -> bool:
    if narrow.shape != wide.shape:
        return False
    room = 1e-2 * _largest(wide)
    with np.errstate(all="ignore"):
        return bool(np.allclose(narrow, wide, rtol=1e-2, atol=room, equal_nan=True))
