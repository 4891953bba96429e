"""Samplers: in which order a dataset's samples are taken, and in which batches.

Random orders are PyTorch's for the same seed: without a generator of its own, a sampler seeds one
from the default generator each time it is iterated over.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

from tinygrad_mnist import dtypes, random
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import as_tensor, empty

Index = TypeVar("Index", covariant=True)
Generator = random.Generator | None


def draw_seed(generator: Generator = None) -> int:
    """A seed for a generator (or a worker), drawn as PyTorch draws it: from 0 to 2⁶³ − 1."""
    return int(empty((), dtype=dtypes.int64).random_(generator=generator).item())


def _check_count(name: str, value: object, not_bool: bool = False) -> None:
    if not isinstance(value, int) or value <= 0 or (not_bool and isinstance(value, bool)):
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_switch(name: str, value: object, error: type[Exception] = ValueError) -> None:
    if not isinstance(value, bool):
        raise error(f"{name} should be a boolean value, but got {name}={value}")


class Sampler(Generic[Index]):
    """An order of indices: a subclass gives `__iter__`, and `__len__` for most uses."""

    def __iter__(self) -> Iterator[Index]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """0, 1, 2, …"""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All indices in random order, or `num_samples` of them; with `replacement`, drawn freely.

    Raises TypeError and ValueError for settings that make no sense.

    >>> _ = torch.manual_seed(0)
    >>> list(torch.utils.data.RandomSampler(range(5)))
    [1, 3, 4, 2, 0]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _check_switch("replacement", replacement, TypeError)
        _check_count("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many indices there are."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        for indices in self.orders():
            yield from indices.tolist()

    def orders(self) -> Iterator[Tensor]:
        """The indices, so many in a tensor as are drawn at once."""
        generator = self.generator
        if generator is None:
            generator = random.Generator().manual_seed(draw_seed())
        size, count = len(self.data_source), self.num_samples
        if self.replacement:
            for start in range(0, count, 32):
                yield random.randint(size, (min(count - start, 32),), generator=generator)
            return
        for _ in range(count // size):
            yield random.randperm(size, generator=generator)
        # PyTorch draws this last permutation even where nothing of it is needed.
        yield random.randperm(size, generator=generator)[: count % size]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for position in random.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices, each drawn as often as its weight says.

    Raises ValueError for settings that make no sense.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator = None,
    ) -> None:
        _check_count("num_samples", num_samples, not_bool=True)
        _check_switch("replacement", replacement)
        self.weights = as_tensor(weights, dtype=dtypes.float64)
        if self.weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        indices = random.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from indices.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of `sampler` in lists of `batch_size`; a shorter last one unless `drop_last`.

    Raises ValueError for settings that make no sense.

    >>> list(torch.utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_count("batch_size", batch_size, not_bool=True)
        _check_switch("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
