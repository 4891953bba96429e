"""Vector registers: as many float32 as one holds, the lanes, as a type of Numba's.

LLVM turns a plain loop into vector instructions where it can see how. A block of a matrix product
it does not see: many sums, each a register of its own, all kept there while a long loop runs. With
a type for the register such a block is written as plainly as any loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as untyped
from numba.extending import intrinsic, models, register_model

cgutils: Any = untyped

__all__ = [
    "LANES", "ROWS", "add_product", "add_scaled", "in_turn", "load", "move", "move_apart",
    "move_every_second", "prefetch", "spread", "store", "sums_of",
]  # fmt: skip

LANES: int = 16 if binding.get_host_cpu_features().get("avx512f") else 8
ROWS: int = 4 if LANES == 16 else 2
"""How many rows of a block of sums fit into the registers, of which there are 32 or 16."""


_NUMBER = ir.FloatType()
_VECTOR = ir.VectorType(_NUMBER, LANES)
_INDEX = ir.IntType(32)
_PLACE = ir.IntType(64)
_FUSED = ("contract",)


class Lanes(types.Type):
    """The type of a register's content."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


lanes = Lanes()


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _instruction(define: Callable[..., Any]) -> Callable[..., Any]:
    """A function of compiled code, by the LLVM instructions that it stands for."""
    return cast(Callable[..., Any], intrinsic(define))


def _pointer(
    context: Any, builder: Any, signature: Any, args: Any, as_type: Any, n: int = 0
) -> Any:
    """The address of array[row, column], arguments from n on; nobody checks that it lies inside."""
    array = context.make_array(signature.args[n])(context, builder, args[n])
    at = cgutils.get_item_pointer(context, builder, signature.args[n], array, args[n + 1 : n + 3])
    return builder.bitcast(at, as_type.as_pointer())


def _picked(builder: Any, x: Any, y: Any, lanes: list[int]) -> Any:
    """Lanes of two registers, those of the second counted on from the first."""
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INDEX, len(lanes)), lanes))


@_instruction
def load(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """The numbers array[row, column : column + LANES]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, args, _VECTOR), align=1)

    return lanes(array, types.intp, types.intp), generate


@_instruction
def store(typing: Any, array: Any, row: Any, column: Any, numbers: Any) -> Any:
    """array[row, column : column + LANES] = numbers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at = _pointer(context, builder, signature, args, _VECTOR)
        builder.store(args[3], at, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, lanes), generate


def _below(builder: Any, count: Any, first: int = 0) -> Any:
    """A mask of the lanes whose number, counted from `first`, is below a count."""
    each = ir.Constant(ir.VectorType(_PLACE, LANES), list(range(first, first + LANES)))
    nothing = ir.Constant(each.type, ir.Undefined)
    counts = builder.insert_element(nothing, count, _INDEX(0))
    return builder.icmp_signed("<", each, _picked(builder, counts, nothing, [0] * LANES))


def _load_some(builder: Any, at: Any, mask: Any) -> Any:
    """The numbers at an address, in the lanes of a mask; 0 in others."""
    kind = ir.FunctionType(_VECTOR, [at.type, _INDEX, mask.type, _VECTOR])
    name = f"llvm.masked.load.v{LANES}f32.p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [at, _INDEX(1), mask, ir.Constant(_VECTOR, None)])


def _store_some(builder: Any, numbers: Any, at: Any, mask: Any) -> None:
    """Put the lanes of a mask to an address."""
    kind = ir.FunctionType(ir.VoidType(), [_VECTOR, at.type, _INDEX, mask.type])
    name = f"llvm.masked.store.v{LANES}f32.p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.call(function, [numbers, at, _INDEX(1), mask])


def _move(step: int, apart: int) -> Any:
    """Every `step`th number of one row to every `apart`th place of another; one of them is 1."""

    def define(
        typing: Any, array: Any, row: Any, column: Any, target: Any, line: Any, place: Any,
        count: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source, goal = (_pointer(context, builder, signature, args, _VECTOR, n) for n in (0, 3))
            wanted = args[6]
            twice = builder.sub(builder.add(wanted, wanted), _PLACE(1))
            if step == 2:
                beyond = builder.gep(source, [_INDEX(1)])
                low = _load_some(builder, source, _below(builder, twice))
                high = _load_some(builder, beyond, _below(builder, twice, LANES))
                numbers = _picked(builder, low, high, list(range(0, 2 * LANES, 2)))
            else:
                numbers = _load_some(builder, source, _below(builder, wanted))
            for n in range(apart):
                mask = _below(builder, twice if apart == 2 else wanted, n * LANES)
                if apart == 2:
                    even = ir.Constant(mask.type, [1 - lane % 2 for lane in range(LANES)])
                    mask = builder.and_(mask, even)
                places = [(n * LANES + lane) // apart for lane in range(LANES)]
                moved = _picked(builder, numbers, numbers, places)
                _store_some(builder, moved, builder.gep(goal, [_INDEX(n)]), mask)
            return context.get_dummy_value()

        at = (types.intp, types.intp)
        return types.void(array, *at, target, *at, types.intp), generate

    return _instruction(define)


move, move_every_second, move_apart = _move(1, 1), _move(2, 1), _move(1, 2)
"""target[line, place : place + n] = array[row, column : column + n], n = min(count, LANES); the
same from array[row, column : column + 2 · n : 2]; and to target[line, place : place + 2 · n : 2].
"""


@_instruction
def in_turn(typing: Any, x: Any, y: Any) -> Any:
    """The lanes of two registers by turns: the first of x, the first of y, the second of x, …"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = [lane + LANES * turn for lane in range(LANES) for turn in range(2)]
        halves = [_picked(builder, args[0], args[1], half)
                  for half in (places[:LANES], places[LANES:])]  # fmt: skip
        return context.make_tuple(builder, signature.return_type, halves)

    return types.UniTuple(lanes, 2)(lanes, lanes), generate  # type: ignore[no-untyped-call]


@_instruction
def prefetch(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """Tell the cache that array[row, column] will be read."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _INDEX, _INDEX, _INDEX])
        name = "llvm.prefetch.p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        at = _pointer(context, builder, signature, args, ir.IntType(8))
        builder.call(function, [at, _INDEX(0), _INDEX(2), _INDEX(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


@_instruction
def spread(typing: Any, number: Any) -> Any:
    """One number in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(nothing, args[0], _INDEX(0))
        return _picked(builder, first, nothing, [0] * LANES)

    return lanes(types.float32), generate


def _sum_and_product(flags: tuple[str, ...]) -> Any:
    def define(typing: Any, total: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.fadd(args[0], builder.fmul(*args[1:], flags=flags), flags=flags)

        return lanes(lanes, lanes, lanes), generate

    return _instruction(define)


add_product, add_scaled = _sum_and_product(_FUSED), _sum_and_product(())
"""total + x · y, lane by lane, rounded once; and rounded twice."""


def _folded(builder: Any, x: Any, y: Any, size: int) -> Any:
    """Both registers in one: each group of `size` lanes, its upper half added to its lower."""
    groups = range(0, 2 * LANES, size)
    lower = [lane for group in groups for lane in range(group, group + size // 2)]
    upper = [lane + size // 2 for lane in lower]
    return builder.fadd(_picked(builder, x, y, lower), _picked(builder, x, y, upper))


@_instruction
def sums_of(typing: Any, w: Any, x: Any, y: Any, z: Any) -> Any:
    """The sums of all lanes of four registers, folded together until each is one lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        w, x, y, z = args
        pairs = _folded(builder, w, x, LANES), _folded(builder, y, z, LANES)
        sums, size = _folded(builder, *pairs, LANES // 2), LANES // 4
        while size > 1:
            size //= 2
            others = [lane ^ size for lane in range(LANES)]
            sums = builder.fadd(sums, _picked(builder, sums, sums, others))
        each = [builder.extract_element(sums, _INDEX(n * LANES // 4)) for n in range(4)]
        return context.make_tuple(builder, signature.return_type, each)

    four = types.UniTuple(types.float32, 4)  # type: ignore[no-untyped-call]
    return four(lanes, lanes, lanes, lanes), generate
