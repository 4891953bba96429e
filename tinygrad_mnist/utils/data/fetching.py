"""Getting a batch from a dataset, by its indices or by taking the next samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .collate import default_collate
from .dataset import IterableDataset, Subset, TensorDataset


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
