"""The shape of a tensor: a tuple that knows how many elements it stands for."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex, final, overload

__all__ = ["Size"]


@final
class Size(tuple[int, ...]):
    """The lengths of a tensor's dimensions; slices, sums and multiples of it are sizes again.

    Raises TypeError when an item is not an integer.

    >>> size = torch.Size([64, 10])
    >>> size.numel()
    640
    >>> size[1:] + (3,)
    torch.Size([10, 3])
    """

    __slots__ = ()
    __module__ = "tinygrad_mnist"

    def __new__(cls, iterable: Iterable[SupportsIndex] = (), /) -> Size:
        """Keep what is an int as it is and convert what can stand for one."""
        lengths = [
            length if type(length) is int else _as_int(length, position)
            for position, length in enumerate(iterable)
        ]
        return tuple.__new__(cls, lengths)

    def numel(self) -> int:
        """The number of elements of a tensor of this size."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> Size: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> int | Size:
        item = tuple.__getitem__(self, index)
        return Size(item) if isinstance(item, tuple) else item

    def __add__(self, other: tuple[int, ...], /) -> Size:  # type: ignore[override]
        try:
            total = tuple(self) + other
        except TypeError:
            given = type(other).__name__
            message = f"can only concatenate tuple (not {given}) to torch.Size"
            raise TypeError(message) from None
        # A NumPy array adds the lengths to its elements instead.
        return Size(total) if isinstance(total, tuple) else total

    def __radd__(self, other: Any, /) -> Size:
        return Size(other + tuple(self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count: SupportsIndex, /) -> Size:
        product = tuple(self) * count
        return Size(product) if isinstance(product, tuple) else product

    __rmul__ = __mul__


def _as_int(length: SupportsIndex, position: int) -> int:
    try:
        return operator.index(length)
    except TypeError:
        raise TypeError(
            "torch.Size() takes an iterable of 'int' "
            f"(item {position} is '{type(length).__name__}')"
        ) from None
