"""Batches of a dataset: the samples of its indices, or the next ones, put together."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import as_tensor, tensor
from tinygrad_mnist.ops.joining import stack

from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import draw_seed

_COLLATE_ERROR = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


class Recipe(NamedTuple):
    """All that a worker must know to make batches."""

    dataset: Any
    batched: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool

    def fetcher(self) -> Callable[[Any], Any]:
        """A function from a batch's indices to the batch; it raises StopIteration at the end."""
        if isinstance(self.dataset, IterableDataset):
            return _IterableFetcher(self)
        return _MapFetcher(self)


class _MapFetcher:
    """Batches of a dataset with indices."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.tensors: tuple[Any, ...] | None = None
        if recipe.batched and recipe.collate_fn is default_collate:
            self.tensors = _plain_tensors(recipe.dataset)

    def __call__(self, index: Any) -> Any:
        dataset = self.recipe.dataset
        if self.tensors is not None:
            rows = np.asarray(_row_numbers(dataset, index))
            if rows.dtype.kind == "i":
                return [tensor[rows] for tensor in self.tensors]
        if not self.recipe.batched:
            samples = dataset[index]
        elif getattr(dataset, "__getitems__", None):
            samples = dataset.__getitems__(index)
        else:
            samples = [dataset[each] for each in index]
        return self.recipe.collate_fn(samples)


def _plain_tensors(dataset: Any) -> tuple[Any, ...] | None:
    """The tensors whose rows a dataset's samples are, where indexing them gives the same batch."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    return None if any(t.requires_grad for t in dataset.tensors) else dataset.tensors


def _row_numbers(dataset: Any, index: Any) -> Any:
    while type(dataset) is Subset:
        index = [dataset.indices[each] for each in index]
        dataset = dataset.dataset
    return index


class _IterableFetcher:
    """Batches of a dataset that gives one sample after another."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.samples = iter(recipe.dataset)
        self.ended = False

    def __call__(self, index: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.recipe.batched:
            return self.recipe.collate_fn(next(self.samples))
        batch = []
        for _ in index:
            try:
                batch.append(next(self.samples))
            except StopIteration:
                self.ended = True
                break
        if not batch or (self.recipe.drop_last and len(batch) < len(index)):
            raise StopIteration
        return self.recipe.collate_fn(batch)


class LoaderIterator:
    """One pass over a loader's batches."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._sampler_iter = iter(loader._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._yielded = 0
        if loader.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=3,
            )

    def __iter__(self) -> LoaderIterator:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __next__(self) -> Any:
        batch = self._next_batch()
        self._yielded += 1
        told = self._loader._length_told
        if told is not None and self._yielded > told:
            warnings.warn(
                f"Length of IterableDataset {self._loader.dataset} was reported to be {told}"
                f"(when accessing len(dataloader)), but {self._yielded} samples have been "
                "fetched. ",
                stacklevel=2,
            )
        return batch

    def _next_batch(self) -> Any:
        raise NotImplementedError

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


class Batches(LoaderIterator):
    """A pass whose batches are made here."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._fetch = loader._recipe().fetcher()

    def _next_batch(self) -> Any:
        return self._fetch(next(self._sampler_iter))


# A batch put together: tensors stacked, numbers made tensors, containers gone through.


def _is_text(array: Any) -> bool:
    return array.dtype.kind in "SUO"


def _rebuilt(original: Any, values: Any) -> Any:
    """A container of `original`'s kind with new values, a plain one where its kind refuses."""
    plain = dict(values) if isinstance(original, Mapping) else list(values)
    try:
        if isinstance(original, MutableMapping):
            mapping = copy.copy(original)
            mapping.update(plain)
            return mapping
        if isinstance(original, MutableSequence):
            sequence = copy.copy(original)
            for position, value in enumerate(plain):
                sequence[position] = value
            return sequence
        return type(original)(plain)
    except TypeError:
        return plain


def default_convert(data: Any) -> Any:
    """A sample with its NumPy arrays and scalars made tensors, in the containers they are in.

    >>> import numpy as np
    >>> torch.utils.data.default_convert({"x": np.array([1, 2])})
    {'x': tensor([1, 2])}
    """
    if isinstance(data, np.ndarray | np.generic):
        return data if _is_text(data) else as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, [(key, default_convert(data[key])) for key in data])
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*[default_convert(each) for each in data])
    if isinstance(data, tuple):
        return [default_convert(each) for each in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _rebuilt(data, [default_convert(each) for each in data])
    return data


def default_collate(batch: Any) -> Any:
    """A list of samples made one batch, with a first dimension for the samples.

    Tensors are stacked; NumPy arrays and numbers become tensors (Python's floats float64);
    strings stay a list; dicts, tuples and lists are gone through. Raises TypeError for other
    kinds, RuntimeError when the samples do not fit together.

    >>> torch.utils.data.default_collate([{"a": 0, "b": 1.5}, {"a": 2, "b": 3.5}])
    {'a': tensor([0, 2]), 'b': tensor([1.5000, 3.5000], dtype=torch.float64)}
    """
    first = batch[0]
    for kind, collate in _COLLATE_FNS:
        if isinstance(first, kind):
            return collate(batch)
    if isinstance(first, Mapping):
        columns = [(key, default_collate([sample[key] for sample in batch])) for key in first]
        return _rebuilt(first, columns)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        fields = zip(*batch, strict=False)
        return type(first)(*[default_collate(samples) for samples in fields])
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        values = [default_collate(samples) for samples in zip(*batch, strict=True)]
        return values if isinstance(first, tuple) else _rebuilt(first, values)
    raise TypeError(_COLLATE_ERROR.format(type(first)))


def _stack_arrays(batch: Sequence[Any]) -> Any:
    if _is_text(batch[0]):
        raise TypeError(_COLLATE_ERROR.format(batch[0].dtype))
    return stack([as_tensor(array) for array in batch])


_COLLATE_FNS: list[tuple[Any, Callable[[Any], Any]]] = [
    (Tensor, lambda batch: stack(list(batch))),
    (np.ndarray, _stack_arrays),
    (str | bytes, lambda batch: batch),
    (np.generic, lambda batch: as_tensor(np.stack(batch))),
    (float, lambda batch: tensor(list(batch), dtype=dtypes.float64)),
    (int, lambda batch: tensor(list(batch))),
]
