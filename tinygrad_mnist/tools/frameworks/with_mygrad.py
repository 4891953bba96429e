"""MyGrad: tensors that go backward by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .framework import Array, Framework, Function, Pull, weighted_sum

__all__ = ["MyGrad"]


class MyGrad(Framework):
    """`backward` of the results, weighted by the gradients from above."""

    name = package = "mygrad"
    install = "pip install mygrad"

    def owns(self, value: object) -> bool:
        """Whether a value is a Tensor of MyGrad's."""
        return isinstance(value, self.module.Tensor)

    def tensor(self, array: Array) -> Any:
        """A tensor; one of floating point gets a gradient."""
        return self.module.tensor(np.array(array), constant=array.dtype.kind != "f")

    def array(self, tensor: Any) -> Array:
        """A tensor's numbers."""
        found: Array = tensor.data
        return found

    def call(self, function: Function, arrays: Sequence[Array]) -> Any:
        """What the function gives."""
        return function(*[self.tensor(each) for each in arrays])

    def vjp(self, function: Function, arrays: Sequence[Array]) -> tuple[Any, Pull]:
        """A call for the results, and one more for each pull: MyGrad frees what it went through."""
        result = function(*[self.tensor(each) for each in arrays])

        def pull(above: Sequence[Array]) -> list[Array | None]:
            tensors = [self.tensor(each) for each in arrays]
            results = self.floats(function(*tensors))
            weighted_sum(results, [np.array(each) for each in above]).backward()
            return [None if each.grad is None else np.asarray(each.grad) for each in tensors]

        return result, pull
