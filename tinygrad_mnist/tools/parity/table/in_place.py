"""Operations that write their result into their first tensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from .families import unary
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS", "in_place"]

_vector = np.ones(2, np.float32)
_matrix = np.ones((2, 3), np.float32)


def in_place(operations: Iterable[Operation], *, gradients: bool = True) -> list[Operation]:
    """A row for each method that writes what an operation with the same name gives.

    Without `gradients` for comparisons: what PyTorch says of them in place depends on which one.
    """
    import tinygrad_mnist

    made = []
    for row in operations:
        name = row.name + "_"
        if row.public and row.name.isidentifier() and hasattr(tinygrad_mnist.Tensor, name):
            scale = row.scale if not callable(row.scale) else _first_result(row.scale)
            made.append(
                replace(row, name=f"Tensor.{name}", function=None, primitives=(),
                        inputs=_tensor_first(row.inputs, row.name == "addbmm"), scale=scale,
                        errors=row.errors[:1],
                        differentiable=gradients and row.differentiable)
            )  # fmt: skip
    return made


def _first_result(scale: Any) -> Any:
    return lambda *arguments, **options: (scale(*arguments, **options), True)


def _tensor_first(inputs: Any, whole: bool = False) -> Any:
    """The same samples, save that a Python number that comes first becomes a tensor.

    With `whole` it has the shape of the product: PyTorch's addbmm_ gives a smaller one that shape.
    """

    def made(make: Maker) -> Sample:
        given = inputs(make)
        first, *rest = given.arguments
        if not isinstance(first, np.ndarray):
            first = make.array()
        if whole:
            shape = (rest[0].shape[1], rest[1].shape[2])
            first = make.array(shape, dtype=first.dtype)
        return Sample((first, *rest), given.options, given.seed)

    return made


def _filled(make: Maker) -> Sample:
    return make.sample(make.array(), make.choice(0.5, 2, -1, True))


def _through_a_view(engine: Any, x: Any, number: float) -> Any:
    """A tensor of which a view was changed in place, and what is computed from that view."""
    changed = x.clone()
    view = changed.unsqueeze(0)[..., :1]
    view.mul_(number)
    return changed, view * 2


def _copied(make: Maker) -> Sample:
    shape, other = make.shapes(2)
    return make.sample(make.array(shape), make.array(other))


OPERATIONS = [
    Operation("Tensor.zero_", unary(), primitives=()),
    Operation("Tensor.fill_", _filled, primitives=(),
              errors=(sample(_vector, _vector), sample(_vector, "text"))),
    Operation("Tensor.copy_", _copied, primitives=(),
              errors=(sample(_vector, np.ones(3, np.float32)), sample(_vector, "text"))),
    Operation("Tensor.mul_ through a view", lambda make: make.sample(
        make.array(dtype=make.floating()), make.choice(3.0, -0.5)), _through_a_view,
        primitives=("copy_slices", "as_strided", "as_strided_backward"), public=False,
        errors=(sample(_matrix, "text"),)),
    Operation("Tensor.detach_", unary(), primitives=()),
    Operation("Tensor.squeeze_", lambda make: make.sample(make.array((1, 2))),
              primitives=()),
    Operation("Tensor.unsqueeze_", lambda make: make.sample(make.array(), 0),
              primitives=(), errors=(sample(_matrix, 5),)),
    *[Operation(f"Tensor.{name}", lambda make: make.sample(make.array(make.shape(2)), 0, 1),
                primitives=(), errors=(sample(_matrix, 0, 5),))
      for name in ("transpose_", "swapaxes_", "swapdims_")],
    Operation("Tensor.t_", lambda make: make.sample(make.array(make.shape(0, 2))),
              primitives=()),
]  # fmt: skip
