"""Datasets: samples by index, or one after another, and datasets made of datasets."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

from tinygrad_mnist import random
from tinygrad_mnist._tensor import Tensor

Sample = TypeVar("Sample", covariant=True)
Other = TypeVar("Other")


class Indexed(Protocol[Sample]):
    """Samples by index, with a length, such as a list of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Sample: ...


class Dataset(Generic[Sample]):
    """Samples by index: a subclass gives `__getitem__`, and `__len__` for most uses.

    One that also gives `__getitems__`, which takes a list of indices, is asked for whole batches.
    """

    def __getitem__(self, index: Any) -> Sample:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[Other]) -> ConcatDataset[Sample | Other]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample], Iterable[Sample]):
    """Samples one after another: a subclass gives `__iter__`."""

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples that are rows of tensors: sample i is `(tensor[i] for each tensor)`.

    Raises AssertionError when the tensors' first sizes differ.

    >>> data = torch.utils.data.TensorDataset(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 1]))
    >>> len(data), data[1]
    (2, (tensor([2.]), tensor(1)))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self) -> int:
        size: int = self.tensors[0].size(0)
        return size


class ConcatDataset(Dataset[Sample]):
    """Datasets one after another, by index. Raises AssertionError where there are none."""

    datasets: list[Any]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Dataset[Sample] | Indexed[Sample]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Sample:
        if index < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        position = index + len(self) if index < 0 else index
        which = bisect.bisect_right(self.cumulative_sizes, position)
        start = self.cumulative_sizes[which - 1] if which else 0
        sample: Sample = self.datasets[which][position - start]
        return sample


class ChainDataset(IterableDataset[Any]):
    """Iterable datasets one after another."""

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _checked(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self._checked())

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._checked())


class StackDataset(Dataset[Any]):
    """Datasets side by side: sample i is the tuple (or, by name, the dict) of their samples i.

    Raises ValueError when their lengths differ.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or``dict``- (via ``kwargs``) like "
                "input/output, but both types are given."
            )
        members = list(args or kwargs.values())
        if not members:
            raise ValueError("At least one dataset should be passed")
        if any(len(member) != len(members[0]) for member in members):
            raise ValueError("Size mismatch between datasets")
        self.datasets = args or kwargs
        self._length = len(members[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...] | dict[str, Any]:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple([dataset[index] for dataset in self.datasets])

    def __len__(self) -> int:
        return self._length


class Subset(Dataset[Sample]):
    """The samples of `dataset` at `indices`, in their order.

    A subclass that overrides `__getitem__` must override `__getitems__` too, which loaders call.

    >>> list(torch.utils.data.Subset([10, 20, 30], [2, 0]))
    [30, 10]
    """

    dataset: Any
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[Sample] | Indexed[Sample], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__. When subclassing "
                "Subset and overriding __getitem__, you must also override __getitems__ to ensure "
                "DataLoader works correctly with your custom logic. A simple implementation:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]"
            )

    def __getitem__(self, index: Any) -> Sample:
        if isinstance(index, list):
            sample: Sample = self.dataset[[self.indices[each] for each in index]]
        else:
            sample = self.dataset[self.indices[index]]
        return sample

    def __getitems__(self, indices: list[int]) -> list[Sample]:
        """The samples at a list of indices."""
        inner = [self.indices[index] for index in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            samples: list[Sample] = self.dataset.__getitems__(inner)
            return samples
        return [self.dataset[index] for index in inner]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[Other] | Indexed[Other],
    lengths: Sequence[int | float],
    generator: random.Generator | None = None,
) -> list[Subset[Other]]:
    """Subsets of these lengths (or shares that add up to 1) that share no sample, at random.

    Samples that shares leave over go to the first subsets, one each. Raises ValueError when the
    lengths do not add up to the dataset's.

    >>> _ = torch.manual_seed(0)
    >>> train, valid = torch.utils.data.random_split(range(10), [0.8, 0.2])
    >>> list(valid)
    [6, 2]
    """
    sizes, total = list(lengths), len(cast("Indexed[Other]", dataset))
    if math.isclose(sum(sizes), 1) and sum(sizes) <= 1:
        sizes = _from_shares(total, sizes)
    if sum(sizes) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    counts = [int(size) for size in sizes]
    indices = random.randperm(total, generator=generator).tolist()
    ends = itertools.accumulate(counts)
    return [
        Subset(dataset, indices[end - count : end]) for end, count in zip(ends, counts, strict=True)
    ]


def _from_shares(total: int, shares: Sequence[float]) -> list[int | float]:
    counts: list[int | float] = []
    for position, share in enumerate(shares):
        if not 0 <= share <= 1:
            raise ValueError(f"Fraction at index {position} is not between 0 and 1")
        counts.append(math.floor(total * share))
    for left_over in range(int(total - sum(counts))):
        counts[left_over % len(counts)] += 1
    for position, count in enumerate(counts):
        if count == 0:
            warnings.warn(
                f"Length of split at index {position} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return counts
