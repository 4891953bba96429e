"""Batches of the rows of tensors, as a DataLoader gives them: one, or many at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)
from tinygrad_mnist.utils.data.fetch import default_collate, default_convert
from tinygrad_mnist.utils.data.sampler import draw_seed

from .program import Array

Order = range | Array
"""The numbers of the rows, in the order in which they are taken."""


class Batches:
    """Batches of `size` rows of the same number of each tensor; of one row, where that is None."""

    def __init__(
        self, tensors: Sequence[Tensor], order: Order, size: int | None, drop_last: bool,
        rest: Iterable[Tensor],
    ) -> None:  # fmt: skip
        self.tensors, self.order, self.size = tensors, order, size
        self.rows = 1 if size is None else size
        self.full = len(order) // self.rows
        """How many batches are full; only the last can be shorter."""
        self.short = 0 if drop_last else len(order) % self.rows
        self._rest = rest
        self._gathered: dict[int, Array] = {}
        """For each tensor that is gathered, what its last rows were gathered into."""

    def __len__(self) -> int:
        return self.full + (self.short > 0)

    def __getitem__(self, n: int) -> list[Tensor]:
        """Batch n, as the loader gives it."""
        if n == self.full:
            self.end()
        if self.size is None:
            row = int(self.order[n])
            return [tensor[row] for tensor in self.tensors]
        rows = np.asarray(self.order[n * self.size : (n + 1) * self.size])
        return [tensor[rows] for tensor in self.tensors]

    def __iter__(self) -> Iterator[list[Tensor]]:
        for n in range(len(self)):
            yield self[n]
        self.end()

    def end(self) -> None:
        """Draw what the sampler draws when it is asked for more than there is."""
        deque(self._rest, 0)

    def together(self, n: int, count: int) -> list[Array]:
        """The arrays of `count` full batches from batch n on, until they are asked for again."""
        rows = self.order[n * self.rows : (n + count) * self.rows]
        inner = (count,) if self.size is None else (count, self.size)
        found = []
        for position, tensor in enumerate(self.tensors):
            array = tensor._array
            if isinstance(rows, range) and array.flags.carray:
                taken = array[rows.start : rows.stop]
            else:
                taken = self._gather(position, array, np.asarray(rows))
            found.append(taken.reshape(*inner, *array.shape[1:]))
        return found

    def _gather(self, position: int, array: Array, rows: Array) -> Array:
        """Rows of an array, written where those before lay: memory that is there already."""
        place = self._gathered.get(position)
        if place is None or len(place) < len(rows):
            place = self._gathered[position] = np.empty((len(rows), *array.shape[1:]), array.dtype)
        return array.take(rows, 0, place[: len(rows)], mode="clip")

    def chunk(self, most: int) -> int:
        """How many full batches are to be had together: so many bytes of what must be gathered."""
        taken = 0
        for tensor in self.tensors:
            if not (isinstance(self.order, range) and tensor._array.flags.carray):
                taken += self.rows * tensor._array[:1].nbytes
        return max(1, most // taken) if taken else max(1, self.full)


def batches_of(loader: DataLoader[Any], draws: bool = True) -> Batches | None:
    """The batches of a loader whose samples are the rows of tensors; None for other loaders.

    With `draws` the generator is drawn from as by a loader that is iterated over.
    """
    dataset, batches = loader.dataset, loader.batch_sampler
    plain = type(loader) is DataLoader and type(dataset) is TensorDataset
    collates = default_convert if batches is None else default_collate
    if not plain or loader.num_workers or loader.pin_memory or loader.collate_fn is not collates:
        return None
    if any(tensor.requires_grad for tensor in dataset.tensors):
        return None
    sampler, size, drop_last = loader.sampler, None, False
    if batches is not None:
        if type(batches) is not BatchSampler:
            return None
        sampler, size, drop_last = batches.sampler, batches.batch_size, batches.drop_last
    orders = _orders(sampler)
    if orders is None:
        return None
    if draws:
        draw_seed(loader.generator)
    order = next(orders)
    ends = order if isinstance(order, range) else np.sort(order)
    if len(order) and not 0 <= ends[0] <= ends[-1] < len(dataset):
        return None
    return Batches(dataset.tensors, order, size, drop_last, orders)


def _orders(sampler: Any) -> Iterator[Any] | None:
    """The rows that a sampler gives, so many at a time as it draws; None for one not known."""
    if type(sampler) is SequentialSampler:
        return iter([range(len(sampler))])
    if type(sampler) is RandomSampler and not sampler.replacement and sampler._num_samples is None:
        return (order._array for order in sampler.orders())
    if isinstance(sampler, range) and sampler.step == 1:
        return iter([sampler])
    if isinstance(sampler, list | tuple | Tensor):
        order = np.asarray(sampler)
        return iter([order]) if order.dtype == np.int64 and order.ndim == 1 else None
    return None
