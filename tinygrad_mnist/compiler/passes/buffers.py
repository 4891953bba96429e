"""Buffers: an array that nobody reads any more serves the next value of its size."""

from __future__ import annotations

from tinygrad_mnist.compiler.program import Program, Value

from .fusion import Loop, Step, stages_of

VIEWS = ("reshape", "permute", "slice")
"""What gives another view of the same array."""


def reuse_buffers(program: Program, steps: list[Step]) -> dict[Value, Value]:
    """For each value that takes over an array: the value that had it before.

    Of several arrays the one used last, which the caches still hold.
    """
    owners = _owners(steps)
    last_read = _last_reads(steps, owners)
    kept = {owners.get(value, value) for value in program.leaving()}
    reuses: dict[Value, Value] = {}
    free: list[tuple[int, Value]] = []
    for position, step in enumerate(steps):
        for value in [i.output for i in step.instructions]:
            if owners.get(value, value) is not value or value.size == 1 or value in kept:
                continue
            if isinstance(step, Loop) and last_read.get(value, position) == position:
                continue  # it is never in an array
            fitting = max(
                [
                    (last, n)
                    for n, (last, old) in enumerate(free)
                    if _alike(old, value)
                    and last <= position
                    and (last < position or _in_place(step, old, value, owners))
                ],
                default=None,
            )
            if fitting is not None:
                _, reuses[value] = free.pop(fitting[1])
            free.append((last_read.get(value, position), value))
    return reuses


def _alike(a: Value, b: Value) -> bool:
    return a.dtype == b.dtype and a.size == b.size


def _in_place(step: Step, old: Value, new: Value, owners: dict[Value, Value]) -> bool:
    """Whether a loop that reads `old` for the last time may write `new` where that lies.

    So it is where each number of the one is read before the number of the other is written.
    """
    if not isinstance(step, Loop) or {step.roles.get(old), step.roles.get(new)} != {"full"}:
        return False
    stages, _ = stages_of(step)
    seen = False
    for i in step.instructions:
        reads = [v for v in i.operands if owners.get(v, v) is old]
        late = seen or stages[i.output] > stages[new]
        if i.output is old or (reads and (late or any(v is not old for v in reads))):
            return False
        seen = seen or i.output is new
    return True


def _owners(steps: list[Step]) -> dict[Value, Value]:
    """For each view, the value whose array it shows."""
    owners: dict[Value, Value] = {}
    for step in steps:
        if not isinstance(step, Loop) and step.instruction.op in VIEWS:
            given = step.instruction.inputs[0]
            owners[step.instruction.output] = owners.get(given, given)
    return owners


def _last_reads(steps: list[Step], owners: dict[Value, Value]) -> dict[Value, int]:
    """The last step in which each value is read, itself or through a view."""
    last: dict[Value, int] = {}
    for position, step in enumerate(steps):
        for i in step.instructions:
            for value in i.operands:
                last[owners.get(value, value)] = position
    return last
