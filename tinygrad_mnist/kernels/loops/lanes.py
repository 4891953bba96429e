"""Lanes: as many float32 as one vector register holds, as a type of Numba's.

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

LANES: int = 16 if binding.get_host_cpu_features().get("avx512f") else 8

_NUMBER = ir.FloatType()
_VECTOR = ir.VectorType(_NUMBER, LANES)
_INDEX = ir.IntType(32)
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


def _pointer(context: Any, builder: Any, signature: Any, args: Any, as_type: Any) -> Any:
    """The address of array[row, column]; nobody checks that it lies inside."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    at = cgutils.get_item_pointer(context, builder, signature.args[0], array, args[1:3])
    return builder.bitcast(at, as_type.as_pointer())


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
        zeros = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
        return builder.shuffle_vector(first, nothing, zeros)

    return lanes(types.float32), generate


@_instruction
def add_product(typing: Any, total: Any, x: Any, y: Any) -> Any:
    """total + x · y, lane by lane, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total, x, y = args
        return builder.fadd(total, builder.fmul(x, y, flags=_FUSED), flags=_FUSED)

    return lanes(lanes, lanes, lanes), generate


@_instruction
def sum_of(typing: Any, numbers: Any) -> Any:
    """The sum of all lanes, the upper half added to the lower again and again."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        numbers, count = args[0], LANES
        while count > 1:
            count //= 2
            nothing = ir.Constant(numbers.type, ir.Undefined)
            lower, upper = (
                builder.shuffle_vector(
                    numbers,
                    nothing,
                    ir.Constant(ir.VectorType(_INDEX, count), list(range(begin, begin + count))),
                )
                for begin in (0, count)
            )
            numbers = builder.fadd(lower, upper)
        return builder.extract_element(numbers, _INDEX(0))

    return types.float32(lanes), generate
