"""One step after another: what `scan` runs between two looks at Python."""

from __future__ import annotations

from typing import Any

import numba
import numba.core.cgutils
import numba.extending
import numba.np.arrayobj
import numpy as np
from numba.core import types

Array = np.ndarray[Any, Any]
_code: Any = numba.core.cgutils
_arrays: Any = numba.np.arrayobj
_intrinsic: Any = numba.extending.intrinsic


def _row(context: Any, builder: Any, kind: Any, given: Any, n: Any) -> Any:
    """Row n of an array, or its only one, as an array."""
    array, row = context.make_array(kind)(context, builder, given), kind.copy(ndim=kind.ndim - 1)
    shape, strides = (_code.unpack_tuple(builder, t) for t in (array.shape, array.strides))
    only = builder.icmp_signed("==", shape[0], shape[0].type(1))
    offset = builder.select(only, n.type(0), builder.mul(n, strides[0]))
    made = context.make_array(row)(context, builder)
    _arrays.populate_array(
        made, _code.pointer_add(builder, array.data, offset, array.data.type), shape[1:],
        strides[1:], array.itemsize, array.meminfo, array.parent,
    )  # fmt: skip
    return made._getvalue()


@_intrinsic  # type: ignore[untyped-decorator]
def _called(typing: Any, address: Any, n: Any, arrays: Any) -> Any:
    """What the step at an address returns for row n of each array; 0 where it raises."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = tuple([kind.copy(ndim=kind.ndim - 1) for kind in arrays])
        given = _code.unpack_tuple(builder, values[2])
        rows = [
            _row(context, builder, kind, each, values[1])
            for kind, each in zip(arrays, given, strict=True)
        ]
        convention = context.call_conv
        function = convention.get_function_type(types.int64, kinds).as_pointer()
        step = builder.inttoptr(values[0], function)
        status, returned = convention.call_function(builder, step, types.int64, kinds, rows)
        return builder.select(status.is_error, returned.type(0), returned)

    return types.int64(address, n, arrays), lower


def steps(address: int, count: int, arrays: tuple[Array, ...], done: Array) -> None:
    """Call the step at `address` for each of `count` rows of the arrays, until one is refused.

    An array of one row gives that to every step. `done` counts the steps.
    """
    for n in range(count):
        if _called(address, n, arrays) >= 0:
            break
        done[0] += 1


def compiled() -> Any:
    """`steps` as a function of Numba's, for any arrays."""
    return numba.njit(error_model="numpy", nogil=True)(steps)
