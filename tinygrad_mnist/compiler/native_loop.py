"""A program run for one batch after another by native code, which calls the compiled step."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tinygrad_mnist.engine.tensor import wrap
from tinygrad_mnist.kernels import sources

from .batches import Batches
from .cache_entry import CacheEntry, leaf_record
from .inputs import Arguments, parts_of
from .native import InParts, Single, compiled_or_loaded
from .program import Array, Constant, Input
from .results import Given, Result, Shared
from .schedules import Schedule
from .symbolic import SymFloat

_GROUP_SECONDS = 0.05
"""How long native code may run before Python is asked for Ctrl-C."""
_FIRST_GROUP = 8
_GATHERED_BYTES = 1 << 18
"""How much of what is gathered for the steps is there at once: it stays in a core's own cache."""


def native_loop(entry: CacheEntry, batched: int) -> NativeLoop:
    """That of an entry, for calls whose first arguments are so many tensors of a batch."""
    loop = entry.loop
    if not isinstance(loop, NativeLoop) or loop.batched != batched:
        loop = entry.loop = NativeLoop(entry, batched)
    return loop


class NativeLoop:
    """A cache entry, for calls one after the other whose first arguments are those of a batch."""

    def __init__(self, entry: CacheEntry, batched: int) -> None:
        self.entry, self.batched = entry, batched
        self.seconds = 0.0
        """What a step took, the last time."""
        self._code: dict[tuple[int, ...], tuple[Any, int] | None] = {}
        parts = [part for _, part, _ in parts_of(entry.returned)]
        self.returned = [part.value for part in parts if isinstance(part, Result)]
        """What the steps return, to be stacked."""
        written = entry.inputs.written
        self.possible = not (
            entry.built is None or entry.draws or entry.inputs.scattered
            or (written and written[0] < batched)
            or any(isinstance(part, Given | Shared | SymFloat) for part in parts)
            or len({*self.returned}) < len(self.returned)
            or any(value is None for _, value in entry.grads)
        )  # fmt: skip
        """Whether what a step leaves behind is what the next one needs."""
        self.constants = [v.array for v in entry.others if isinstance(v, Constant)]
        read = entry.program.read(Input) if self.possible else []
        self._read = {given.position for given in read}

    def group(
        self, arguments: Arguments, batches: Batches, n: int, schedule: Schedule
    ) -> Group | None:
        """Steps from batch n on, which has these arguments; None where they cannot be taken."""
        entry = self.entry
        most = int(_GROUP_SECONDS / self.seconds) if self.seconds else _FIRST_GROUP
        most = max(1, min(most, batches.full - n))
        if not self.possible or not schedule.counts:
            return None
        try:
            tensors = [find(arguments) for find in entry.inputs.finders]
            arrays = entry.inputs.arrays(tensors) if entry.reached.guards.hold() else None
        except AttributeError:  # a gradient that was there is gone
            return None
        if arrays is None or not self._grads_are_made_anew(arguments, arrays):
            return None
        if any(tensors[n] is not arguments[n] for n in range(self.batched)):
            return None
        rows = [tensor._array for tensor in batches.tensors]
        written = [arrays[n] for n in entry.inputs.written]
        if any(np.may_share_memory(array, each) for array in rows for each in written):
            return None
        table = self._numbers(arguments, most, schedule)
        if table is None:
            return None
        count = most if schedule.scheduler is None else len(table)
        return Group(self, arguments, tensors, arrays, table, batches, n, count)

    def _grads_are_made_anew(self, arguments: Arguments, arrays: list[Array]) -> bool:
        """Whether gradients that a step leaves take the place of some that it does not read."""
        for find, _ in self.entry.grads:
            before = leaf_record(find(arguments)).grad
            if before is None:
                return False
            for value, array in zip(self.entry.inputs.values, arrays, strict=True):
                if array is before._array and value.position in self._read:
                    return False
        return True

    def _numbers(self, arguments: Arguments, most: int, schedule: Schedule) -> Array | None:
        """The program's numbers: a row for all steps, or for each, and the schedule stepped."""
        numbers, guards = self.entry.numbers, self.entry.reached.guards
        schedule.mark()
        if schedule.scheduler is None:
            row = numbers.now(arguments)
            return None if row is None else row[None]
        rows: list[Array] = []
        while len(rows) < most and guards.hold():
            row = numbers.now(arguments)
            if row is None:
                break
            try:
                schedule.step()
            except Exception:  # which it raises again after that step, taken from Python
                schedule.back_to(len(rows))
                break
            rows.append(row)
        return np.stack(rows) if rows else None

    def code(self, arrays: tuple[Array, ...]) -> tuple[Any, int] | None:
        """The loop compiled for such arrays, and the step's address; None if it has none yet."""
        key = tuple([array.flags.num for array in arrays])
        if self._code.get(key) is None:
            assert self.entry.built is not None
            self._code[key] = compiled_loop(self.entry.built.function, arrays)
        return self._code[key]


def compiled_loop(step: Single | InParts, arrays: tuple[Array, ...]) -> tuple[Any, int] | None:
    """A loop over the rows of arrays, and the address of the step that is compiled for them."""
    code = step.code_of_rows(arrays)
    if code is None:
        return None

    def function() -> Any:
        from .loops import steps

        return steps.compiled()

    arguments = 0, 0, arrays, np.zeros(1, np.int64)
    stamp = sources.digest("compiler.loops.steps.steps")
    loop = compiled_or_loaded("steps", arguments, stamp, function)
    return loop.entry, code.address


class Group:
    """Steps that are taken together: what native code is handed, and what comes of it."""

    def __init__(
        self, loop: NativeLoop, arguments: Arguments, tensors: list[Any], arrays: list[Array],
        table: Array, batches: Batches, n: int, count: int,
    ) -> None:  # fmt: skip
        self._loop, self._arguments, self._tensors = loop, arguments, tensors
        self._batches, self._n, self._count = batches, n, count
        self._results = [
            np.empty((count if value in loop.returned else 1, *value.shape), value.dtype)
            for value in loop.entry.results
        ]
        fixed = [*arrays[loop.batched :], *loop.constants]
        self._handed = [*[array[None] for array in fixed], table, *self._results]
        self._done = np.zeros(1, np.int64)

    @property
    def template(self) -> Any:
        """What a step returns, a Result in place of each tensor."""
        return self._loop.entry.returned

    @property
    def done(self) -> int:
        """How many steps were taken."""
        return int(self._done[0])

    def run(self) -> None:
        """Take the steps, until one is refused."""
        chunk = self._batches.chunk(_GATHERED_BYTES)
        for first in range(0, self._count, chunk):
            count = min(chunk, self._count - first)
            rows = slice(first, first + count)
            given = [each if len(each) == 1 else each[rows] for each in self._handed]
            arrays = (*self._batches.together(self._n + first, count), *given)
            code = self._loop.code(arrays)
            if code is None:
                return
            begin = time.perf_counter()
            code[0](code[1], count, arrays, self._done)
            if self.done < first + count:
                return
            self._loop.seconds = (time.perf_counter() - begin) / count

    def settle(self) -> list[Array]:
        """Note what the steps changed besides arrays; what they returned, stacked."""
        done, entry = self.done, self._loop.entry
        results = dict(zip(entry.results, self._results, strict=True))
        if done:
            for position, raised in entry.inputs.bumps:
                self._tensors[position]._counter[0] += raised * done
            for find, value in entry.grads:
                assert value is not None
                leaf_record(find(self._arguments)).grad = wrap(results[value].reshape(value.shape))
        return [results[value][:done] for value in self._loop.returned]
