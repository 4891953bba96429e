"""tinygrad, on the device that it chooses."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .framework import Array, Framework, Function, Pull, weighted_sum

__all__ = ["Tinygrad"]


class Tinygrad(Framework):
    """`Tensor.gradient` of the results, weighted by the gradients from above."""

    name = package = "tinygrad"
    install = "pip install tinygrad"

    def owns(self, value: object) -> bool:
        """Whether a value is a Tensor of tinygrad's."""
        return isinstance(value, self.module.Tensor)

    def tensor(self, array: Array) -> Any:
        """A tensor with memory of its own."""
        return self.module.Tensor(np.array(array, order="C"))

    def array(self, tensor: Any) -> Array:
        """A tensor's numbers."""
        found: Array = tensor.numpy()
        return found

    def is_float(self, tensor: Any) -> bool:
        """Whether a tensor is of floating point."""
        return bool(self.module.dtypes.is_float(tensor.dtype))

    def call(self, function: Function, arrays: Sequence[Array]) -> Any:
        """What the function gives."""
        return function(*[self.tensor(each) for each in arrays])

    def vjp(self, function: Function, arrays: Sequence[Array]) -> tuple[Any, Pull]:
        """By `gradient`; what a result does not depend on has none."""
        tensors = [self.tensor(each) for each in arrays]
        result = function(*tensors)
        floats = self.floats(result)

        def pull(above: Sequence[Array]) -> list[Array | None]:
            total = weighted_sum(floats, [self.tensor(each) for each in above])
            found: list[Array | None] = [None] * len(tensors)
            for place, tensor in enumerate(tensors):
                if arrays[place].dtype.kind == "f":
                    with contextlib.suppress(RuntimeError):  # not reached
                        found[place] = total.gradient(tensor)[0].numpy()
            return found

        return result, pull

    def gradients(self, function: Function, arrays: Sequence[Array]) -> tuple[Function, int]:
        """By `gradient` of `gradient`."""
        count = len(arrays)
        places = [i for i, each in enumerate(arrays) if each.dtype.kind == "f"]
        results = len(self.floats(function(*[self.tensor(each) for each in arrays])))

        def gradients(*given: Any) -> tuple[Any, ...]:
            total = weighted_sum(self.floats(function(*given[:count])), given[count:])
            return tuple(total.gradient(*[given[i] for i in places]))

        return gradients, results
