"""Programs for any size: one compiled function for all calls that differ in sizes alone.

The first program of a function is compiled for the sizes that it was traced with. When another
trace has the same outline, sizes that changed become symbols, and whatever else changed must be an
expression of them. The program is then optimised and written for some sizes that are like no other
number in it, and the sources become one, in which sizes are read from the arrays that come in.

Each new size is traced once all the same: it runs the program only if that is what its own trace
predicts, so that what Python did with a size is never missed.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Hashable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_mnist.compiler.codegen.function import Source, generate, literal
from tinygrad_mnist.compiler.codegen.writer import Unsupported

from . import build as building
from .build import Built, Stats
from .choices import Choices, choosing
from .outline import NoOutline, Outline
from .program import Constant, Number, Program, Value
from .reached import Reached
from .results import Unrepeatable
from .settings import config
from .sizes import (
    Derived,
    Point,
    Ratio,
    Size,
    fit,
    fit_ratio,
    quotient,
    sized,
    unified,
    with_derived,
)
from .symbolic import SymFloat

_FIRST_OF_IMAGES = 2
"""The dimension after samples and channels."""
_LEAST = 2
"""Smaller dimensions are broadcast, or hold nothing: they get a program of their own."""
_DIVIDED = 8
"""Sizes that are divided are written so many times larger, to be unlike their quotients."""
LANES = 16
"""Numbers in the largest register."""
_FLOAT64 = np.dtype(np.float64)
_MOST_OUTLINES = 8
_MOST_SYMBOLS, _MOST_DERIVED = 3, 12
_MOST_POINTS = 1000
"""Of so many sizes some are found to write a program for, or none are."""
_REMAINDERS = 3
"""How many more sizes a program is written for where sizes are divided."""


class _Free(float):
    """A number of a trace that any other may take the place of; it knows which it is."""

    position: int


class _FreeWhole(int):
    position: int


@dataclass(frozen=True)
class _Generalised:
    """What several traces of one outline say of a trace at any size."""

    symbols: list[int]
    """Which whole numbers the first symbols are: dimensions of inputs."""
    derived: list[Derived]
    """The other symbols, each computed of earlier ones."""
    whole: list[Size]
    numbers: list[Ratio | None]
    """The numbers as sizes give them; None for those that may be any."""
    typical: Point
    may_follow: bool
    """Whether some numbers are followed from call to call."""

    @property
    def divides(self) -> bool:
        """Whether a symbol is a quotient of another."""
        return any(each.divisor > 1 for each in self.derived)

    def point(self, trace: Outline) -> Point:
        """The symbols' values in a trace."""
        return with_derived(tuple([trace.whole[n] for n in self.symbols]), self.derived)

    def places(self, trace: Outline) -> list[tuple[int, int]]:
        """Of which inputs the symbols are which dimensions."""
        inputs = enumerate(trace.copy.inputs)
        places = [(n, d) for n, given in inputs for d in range(len(given.shape))]
        return [places[each] for each in self.symbols]

    def number_at(self, position: int, point: Point, variant: int, like: Any) -> Any:
        """What to write in place of a number of the trace; those that may be any differ."""
        ratio = self.numbers[position]
        number = 1009 + 2 * position + variant / 64 if ratio is None else ratio.at(point)
        kind: Any = _FreeWhole if isinstance(like, int) else _Free
        tagged = kind(number)
        tagged.position = position
        return tagged


def _generalised(traces: Sequence[Outline], follow: bool) -> _Generalised | None:
    """What these traces have in common; None if that is not found.

    With `follow`, numbers that are followed from call to call may be any.
    """
    columns = list(zip(*[each.whole for each in traces], strict=True))
    symbols: list[int] = []
    for position in range(traces[0].of_inputs):
        column = columns[position]
        known = [columns[each] for each in (*symbols, position)]
        if len({*column}) > 1 and not any(_is_multiple(column, each) for each in known[:-1]):
            symbols.append(position)
    if not 0 < len(symbols) <= _MOST_SYMBOLS:
        return None
    given: list[Point] = [tuple([each.whole[n] for n in symbols]) for each in traces]
    derived, whole = _in_symbols(given, columns, {columns[n] for n in traces[0].dimensions})
    if whole is None:
        return None
    points = [with_derived(point, derived) for point in given]
    numbers: list[Ratio | None] = []
    may_follow = False
    for several in zip(*[each.numbers for each in traces], strict=True):
        values = [number.number for number, _ in several]
        followed = any(isinstance(value, SymFloat) for value in values)
        may_follow |= followed
        plain = [float(v) if isinstance(v, SymFloat) else v for v in values]
        numbers.append(None if followed and follow else fit_ratio(points, plain))
    largest = tuple(map(max, *[point[: len(symbols)] for point in points]))
    typical = with_derived(largest, derived)
    return _Generalised(symbols, derived, whole, numbers, typical, may_follow)


def _in_symbols(
    points: list[Point], columns: Sequence[tuple[int, ...]], dimensions: set[tuple[int, ...]]
) -> tuple[list[Derived], list[Size] | None]:
    """All numbers as sizes, and the derived symbols of them; None if that is not found.

    Dimensions that are more, or less, than a multiple of a symbol become symbols, too: products
    of them are found then.
    """
    derived: list[Derived] = []
    found: dict[tuple[int, ...], Size] = {}
    for column in dict.fromkeys(columns):
        size = fit(points, column)
        new = size.shifted() if size is not None and column in dimensions else None
        new = quotient(points, column) if size is None else new
        if new is not None and len(derived) < _MOST_DERIVED:
            derived.append(new)
            points = [(*point, new.at(point)) for point in points]
            size = fit(points, column)
        if size is None:
            return [], None
        found[column] = size
    return derived, [_widened(found[column], len(points[0])) for column in columns]


def _widened(size: Size, symbols: int) -> Size:
    """The same size of more symbols."""
    return Size(tuple([(n, (*p, *(0,) * (symbols - len(p)))) for n, p in size.terms]))


def _is_multiple(column: tuple[int, ...], of: tuple[int, ...]) -> bool:
    factor = column[0] // max(of[0], 1)
    return all(a == factor * b for a, b in zip(column, of, strict=True))


def _points(general: _Generalised, count: int) -> list[Point]:
    """Sizes to write a program for, which are like no other number in it.

    Primes, where none is divided; else some that leave several remainders at each division.
    """
    taken = {factor for size in general.whole for factor, _ in size.terms if factor}
    divided = general.divides
    numbers = _unlike(taken, max(max(general.typical), 16) + 1, divided)
    own, wanted = len(general.symbols), count + _REMAINDERS * divided
    quotients = [each for each in general.derived if each.divisor > 1]
    points: list[Point] = []
    for _ in range(_MOST_POINTS):
        point = with_derived(tuple([next(numbers) for _ in range(own)]), general.derived)
        if len({*point}) == len(point) and not taken.intersection(point):
            points = [*points, point][-wanted:]
            rests = [{each.above(p) % each.divisor for p in points} for each in quotients]
            if len(points) == wanted and all(len(each) > 1 for each in rests):
                return points
    raise Unsupported("sizes that are like no other number")


def _unlike(taken: set[int], begin: int, divided: bool) -> Iterator[int]:
    """Numbers that divide none of those taken: primes, or at distances that grow."""
    if divided:
        step, number = 1, _DIVIDED * begin
        while True:
            yield number
            step, number = step + 1, number + step
    for n in itertools.count(begin):
        if all(n % d for d in range(2, int(n**0.5) + 1)) and all(t % n for t in taken):
            yield n


@dataclass
class _Written:
    """A program optimised and written for some sizes."""

    outline: Outline
    program: Program
    source: Source
    stats: Stats


def _written(trace: Program, general: _Generalised, point: Point, variant: int) -> _Written:
    sizes = iter([size.at(point) for size in general.whole])
    outline = Outline(trace, lambda _: next(sizes))
    for n, (_, number) in enumerate(outline.numbers):
        if isinstance(number.number, int | float) and not isinstance(number.number, bool):
            number.number = general.number_at(n, point, variant, number.number)
    stats = Stats()
    program, steps = building.optimise(outline.copy, stats)
    return _Written(outline, program, generate(program, steps), stats)


@dataclass(frozen=True)
class SizedProgram:
    """A compiled function for any size, and what a trace must be like to run it."""

    general: _Generalised
    dimensions: list[int]
    """Which of the whole numbers are dimensions that vary."""
    numbers: list[int | Ratio]
    """What the source is handed: numbers of the trace by position, and those that sizes give."""
    fixed: list[int]
    """Numbers of the trace that must be what sizes give."""
    others: list[int | Value]
    """Constants and draws that the source is handed: those of the trace by position."""
    lanes: list[Size]
    """Numbers that fill a register at least."""
    built: Built

    def built_for(self, trace: Outline) -> Built | None:
        """The function as it is handed what a trace holds; None if that is not as predicted."""
        point = self.general.point(trace)
        sizes = zip(self.general.whole, trace.whole, strict=True)
        if any(trace.whole[n] < _LEAST for n in self.dimensions) or any(
            size.at(point) != number for size, number in sizes
        ):
            return None
        if any(size.at(point) < LANES for size in self.lanes):
            return None
        given = [number for number, _ in trace.numbers]
        for n in self.fixed:
            ratio = self.general.numbers[n]
            assert ratio is not None
            if repr(float(given[n].number)) != repr(float(ratio.at(point))):
                return None
        numbers: list[Value] = [
            given[each] if isinstance(each, int) else Number((), _FLOAT64, number=each.at(point))
            for each in self.numbers
        ]
        others: Any = [
            trace.others[each][0] if isinstance(each, int) else each for each in self.others
        ]
        source = replace(self.built.source, others=others, numbers=numbers)
        return replace(self.built, source=source)


def _sized_program(
    trace: Program, outline: Outline, general: _Generalised, few: bool
) -> SizedProgram | None:
    """The program for any size; None if what is written for several sizes is not alike."""
    begin = time.perf_counter()
    points = _points(general, 2 + len(general.symbols))
    varying = [n for n in outline.dimensions if general.whole[n].varies]
    if any(general.whole[n].at(point) < _LEAST for n in varying for point in points):
        return None
    choices = Choices(points[0], general.typical, few)
    tried = []
    for variant, point in enumerate(points):
        with choosing(choices):
            tried.append(_written(trace, general, point, variant))
        choices.replay()
    sources = [each.source for each in tried]
    text = _text_of(tried, points, general)
    numbers = _handed_numbers(tried, points)
    others = _handed_others(tried)
    lanes = [fit(points, column) for column in zip(*[s.lanes for s in sources], strict=False)]
    if text is None or numbers is None or others is None or None in lanes:
        return None
    stats = tried[0].stats
    stats.temporaries, stats.temporary_bytes = sources[0].temporaries, sources[0].temporary_bytes
    parts = [
        (step, (unified(points, ["\n".join(s.parts[n][1]) for s in sources]) or "").split("\n"))
        for n, (step, _) in enumerate(sources[0].parts)
    ]
    source = replace(sources[0], text=text, parts=parts)
    function = building.loaded(text, stats)
    stats.spent(time.perf_counter() - begin)
    fixed = [
        n for n, (number, _) in enumerate(tried[0].outline.numbers)
        if general.numbers[n] is not None and type(number.number) in (int, float)
    ]  # fmt: skip
    built = Built(_shown(tried, points, general, outline), source, function, stats)
    return SizedProgram(general, varying, numbers, fixed, others, [x for x in lanes if x], built)


def _text_of(tried: list[_Written], points: list[Point], general: _Generalised) -> str | None:
    """The sources as one, which begins by reading the sizes."""
    text = unified(points, [each.source.text for each in tried])
    if text is None:
        return None
    head, _, body = text.partition("\n")
    inputs = tried[0].outline.copy.inputs
    places = enumerate(general.places(tried[0].outline))
    read = [f"    s{n} = {inputs[given].name}.shape[{d}]" for n, (given, d) in places]
    known = len(read)
    read += [f"    s{known + n} = {each}" for n, each in enumerate(general.derived)]
    return "\n".join([head, *read, body])


def _handed_numbers(tried: list[_Written], points: list[Point]) -> list[int | Ratio] | None:
    """Where the numbers that the source is handed come from."""
    handed: list[int | Ratio] = []
    for several in zip(*[each.source.numbers for each in tried], strict=False):
        values = [literal(value) for value in several]
        positions = {getattr(value, "position", None) for value in values}
        position = positions.pop()
        if positions:
            return None
        found = fit_ratio(points, values) if position is None else position
        if found is None:
            return None
        handed.append(found)
    return handed


def _handed_others(tried: list[_Written]) -> list[int | Value] | None:
    """Where the arrays come from that the source is handed besides its inputs."""
    own = {copy: n for n, (_, copy) in enumerate(tried[0].outline.others)}
    handed: list[int | Value] = []
    for several in zip(*[each.source.others for each in tried], strict=False):
        first = several[0]
        alike = all(each.shape == first.shape for each in several) and all(
            np.array_equal(each.array, first.array)
            for each in several
            if isinstance(each, Constant)
        )
        if first not in own and not (isinstance(first, Constant) and alike):
            return None
        handed.append(own.get(first, first))
    return handed


def _shown(
    tried: list[_Written], points: list[Point], general: _Generalised, trace: Outline
) -> Program:
    """The program after all passes, its sizes shown as expressions."""
    outlines = [Outline(each.program) for each in tried]
    columns = zip(*[each.whole for each in outlines], strict=False)
    rest = iter([fit(points, column) for column in columns])

    def show(number: int) -> int:
        size = next(rest, None)
        return number if size is None or not size.varies else sized(number, size)

    shown = Outline(tried[0].program, show)
    for n, (_, number) in enumerate(shown.numbers):
        values = [each.numbers[n][0].number for each in outlines]
        position = getattr(values[0], "position", None)
        ratio = fit_ratio(points, values) if position is None else general.numbers[position]
        own = None if position is None else trace.numbers[position][0].number
        number.number = own if ratio is None else ratio
    return shown.copy


class Refused(Unrepeatable):
    """A program would have to be compiled, and none may be."""


class Unsure(Refused):
    """Sizes are divided, and what was seen does not tell how: others are to be traced first."""

    def __init__(self, places: list[tuple[int, int]]) -> None:
        super().__init__("other sizes are to be traced first")
        self.places = places
        """Dimensions of inputs."""


class Programs:
    """The compiled functions of one function that `compile` made, and why each was compiled."""

    def __init__(self, dynamic: bool | None = None) -> None:
        self.dynamic = dynamic
        self.reasons: list[str] = []
        self._reason = ""
        self._static: frozenset[tuple[int, int]] = frozenset()
        self._trying = False
        self._sure: set[Hashable] = set()
        """Outlines of which sizes enough were traced to tell how they are divided."""
        self._sized: dict[Hashable, list[SizedProgram]] = {}
        self._traces: dict[Hashable, list[Outline]] = {}
        """What was traced by outlines, the newest first."""
        self._known: set[tuple[str, ...]] = set()
        """Sources, each with the types of what it is given."""
        self._reached: dict[str, Reached] = {}

    @contextlib.contextmanager
    def building(
        self, reason: str, static: frozenset[tuple[int, int]] = frozenset(), trying: bool = False
    ) -> Iterator[None]:
        """Build programs for this function inside a `with` block; `trying`, only note traces.

        `static` are dimensions of inputs that may not become symbols.
        """
        token = _programs.set(self)
        self._reason, self._static, self._trying = reason, static, trying
        try:
            yield
        finally:
            _programs.reset(token)

    def built(self, traced: Program) -> Built:
        """The function for a trace: one that was compiled for any size, or a new one."""
        try:
            outline = Outline(traced)
        except NoOutline:
            return self._new(building.build(traced))
        earlier = self._traces.setdefault(outline.key, [])
        if self._trying:
            earlier.insert(0, outline)
            raise Unsupported("any")
        known = self._sized.setdefault(outline.key, [])
        for each in known:
            built = each.built_for(outline)
            if built is not None:
                return built
        automatic = config.automatic_dynamic_shapes or self.dynamic
        if earlier and automatic and self.dynamic is not False:
            found = self._of_any_size(traced, [outline, *earlier])
            if found is not None:
                self._new(found[1])
                known[:] = [found[0], *known][:_MOST_OUTLINES]
                return found[1]
        built = self._new(building.build(traced))
        earlier[:] = [outline, *earlier][:_MOST_OUTLINES]
        return built

    def _of_any_size(
        self, traced: Program, outlines: list[Outline]
    ) -> tuple[SizedProgram, Built] | None:
        """One program for traces of one outline; Unsure at the first that divides sizes."""
        key = outlines[0].key
        try:
            return _of_traces(traced, outlines, self._static, key in self._sure)
        except Unsure:
            self._sure.add(key)
            raise

    def guarded(self, built: Built, reached: Reached) -> Reached:
        """What the function reaches: where that is as it was, the same object for all sizes."""
        known = self._reached.setdefault(built.source.text, reached)
        if not known.guards.same_as(reached.guards):
            known = self._reached[built.source.text] = reached
        return known

    def _new(self, built: Built) -> Built:
        """Count a program that is compiled, once a trace; Refused where none may be."""
        code = built.source.text, *[given.dtype.str for given in built.program.inputs]
        if code in self._known:
            return built
        if config.stance == "fail_on_recompile":
            raise Refused(f"the stance is 'fail_on_recompile', and {self._reason}")
        if config.stance == "eager_on_recompile":
            raise Refused("")
        if self._reason:
            if len(self.reasons) >= config.recompile_limit:
                raise Refused(
                    f"it was compiled {len(self.reasons)} times, as often as "
                    f"torch.compiler.config.recompile_limit allows, and now {self._reason}"
                )
            self.reasons.append(self._reason)
            self._reason = ""
        self._known.add(code)
        return built

    @property
    def sized(self) -> bool:
        """Whether there is a program for any size."""
        return any(self._sized.values())

    def forget(self) -> None:
        """Begin anew."""
        for kept in (
            self.reasons,
            self._sized,
            self._traces,
            self._known,
            self._reached,
            self._sure,
        ):
            kept.clear()


_programs: ContextVar[Programs | None] = ContextVar("programs", default=None)


def build(traced: Program) -> Built:
    """The compiled function for a traced program, among those of the function at hand."""
    programs = _programs.get()
    return building.build(traced) if programs is None else programs.built(traced)


def guarded(built: Built, reached: Reached) -> Reached:
    """What the function at hand reaches, as an earlier entry has it if that is the same."""
    programs = _programs.get()
    return reached if programs is None else programs.guarded(built, reached)


def _of_traces(
    trace: Program, outlines: list[Outline], static: frozenset[tuple[int, int]], sure: bool
) -> tuple[SizedProgram, Built] | None:
    """One program for traces of one outline, the first of them new, and the function for that.

    Unless it is `sure` that enough sizes were traced, Unsure where one is a quotient of another.
    """
    first, *earlier = outlines
    wide = [each for each in earlier if _is_wide(each, first)]
    if not wide or not _is_wide(first, wide[0]):
        return None
    together = [wide, wide[:1]] if len(wide) > 1 else [wide]  # if not all, then the latest
    for others, follow in itertools.product(together, (True, False)):
        general = _generalised([first, *others], follow)
        if general is None or not (follow or general.may_follow):
            continue
        if not static.isdisjoint(general.places(first)):
            return None
        varying = _varying(first, others)
        if not sure and (general.divides or _may_divide(trace, varying)):
            raise Unsure(varying)
        for few in (False, True):
            try:
                program = _sized_program(trace, first, general, few)
            except Exception:  # sizes that do not go together, which no call has
                program = None
            if program is None:
                break
            built = program.built_for(first)
            if built is not None:
                return program, built
    return None


def _may_divide(trace: Program, varying: list[tuple[int, int]]) -> bool:
    """Whether strides divide a size that is not alike in traces: two may give the same quotient."""
    of_images = any(d >= _FIRST_OF_IMAGES for _, d in varying)
    for i in trace.instructions:
        strides = i.attributes.get("stride", ()) if of_images else ()
        key = i.attributes.get("key", ())
        steps = [part.step for part in key if isinstance(part, slice)] if i.op == "slice" else []
        if any(step not in (None, 1) for step in (*strides, *steps)):
            return True
    return False


def _varying(trace: Outline, others: Sequence[Outline]) -> list[tuple[int, int]]:
    """The dimensions of inputs, each by the input and its number, that are not alike in traces."""
    inputs = enumerate(trace.copy.inputs)
    places = enumerate((n, d) for n, given in inputs for d in range(len(given.shape)))
    return [place for n, place in places if any(o.whole[n] != trace.whole[n] for o in others)]


def _is_wide(trace: Outline, other: Outline) -> bool:
    """Whether no dimension that two traces differ in is 0 or 1 in this one."""
    return all(
        trace.whole[n] >= _LEAST for n in trace.dimensions if trace.whole[n] != other.whole[n]
    )
