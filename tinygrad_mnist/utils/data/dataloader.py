"""DataLoader: a dataset in batches, in order or shuffled, made here or by worker processes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar, overload

from tinygrad_mnist import random
from tinygrad_mnist._tensor import Tensor

from .dataset import Dataset, Indexed, IterableDataset
from .fetch import Batches, Recipe, default_collate, default_convert
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

Sample = TypeVar("Sample", covariant=True)
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _InfiniteConstantSampler(Sampler[None]):
    """None again and again: for datasets that give one sample after another."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[Sample]):
    """Batches of `batch_size` samples of a dataset, to be iterated over once an epoch.

    Args:
        dataset: a Dataset, an IterableDataset, or anything with `__getitem__` and `__len__`.
        batch_size: samples in a batch; None gives samples one by one, not batched.
        shuffle: whether to take them in a new random order each epoch.
        sampler: an order of its own instead, an iterable of indices.
        batch_sampler: an order in batches of its own instead, an iterable of lists of indices.
        num_workers: processes that make batches; 0 makes them here.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        pin_memory: for GPUs; warns, as there is none.
        drop_last: whether to leave out a last batch that is shorter.
        timeout: seconds to wait for a worker's batch; 0 waits as long as it takes.
        worker_init_fn: called in each worker with its number.
        multiprocessing_context: how to start workers: a name such as "spawn", or a context.
        generator: where the random order and the workers' seeds come from.
        prefetch_factor: batches that each worker makes ahead, 2 unless given.
        persistent_workers: whether workers stay for the next epoch.
        in_order: whether batches come in the sampler's order, or as workers finish them.

    The order is PyTorch's for the same seed. Raises ValueError for settings that contradict one
    another.

    >>> _ = torch.manual_seed(0)
    >>> loader = torch.utils.data.DataLoader([10, 20, 30, 40, 50], batch_size=2, shuffle=True)
    >>> list(loader)
    [tensor([20, 50]), tensor([30, 40]), tensor([10])]
    """

    @overload
    def __init__(
        self, dataset: Dataset[Sample] | Indexed[Sample], batch_size: int | None = ...,
        shuffle: bool | None = ..., sampler: Iterable[Any] | None = ...,
        batch_sampler: Iterable[Any] | None = ..., num_workers: int = ..., collate_fn: None = ...,
        pin_memory: bool = ..., drop_last: bool = ..., timeout: float = ...,
        worker_init_fn: Callable[[int], Any] | None = ..., multiprocessing_context: Any = ...,
        generator: random.Generator | None = ..., *, prefetch_factor: int | None = ...,
        persistent_workers: bool = ..., pin_memory_device: str = ..., in_order: bool = ...,
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: DataLoader[Any], dataset: Any, *ordered: Any,
        collate_fn: Callable[[Any], Any] | None, **named: Any,
    ) -> None: ...  # fmt: skip
    def __init__(  # type: ignore[misc]
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: random.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        _check_order(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if sampler is None:
            sampler = _default_sampler(dataset, bool(shuffle), generator)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = _read_context(multiprocessing_context, num_workers)
        self.generator = generator
        self.in_order = in_order
        usual = default_convert if batch_sampler is None else default_collate
        self.collate_fn = usual if collate_fn is None else collate_fn
        self.persistent_workers = persistent_workers
        self._length_told: int | None = None
        self._iterator: Any = None
        self._ready = True
        _warn_of_many_workers(num_workers)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_ready" in self.__dict__:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    @property
    def _index_sampler(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    @overload
    def __iter__(self: DataLoader[Tensor]) -> Iterator[Tensor]: ...
    @overload
    def __iter__(self: DataLoader[tuple[Tensor, ...]]) -> Iterator[list[Tensor]]: ...
    @overload
    def __iter__(self) -> Iterator[Any]: ...
    def __iter__(self) -> Iterator[Any]:
        if not self.num_workers:
            return Batches(self)
        from .workers import WorkerBatches

        if self.persistent_workers and self._iterator is not None:
            self._iterator.restart(self)
            return self._iterator  # type: ignore[no-any-return]
        batches = WorkerBatches(self)
        if self.persistent_workers:
            self._iterator = batches
        return batches

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        length = self._length_told = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    def _recipe(self) -> Recipe:
        batched = self.batch_sampler is not None
        return Recipe(self.dataset, batched, self.collate_fn, self.drop_last)


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool
) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; "
            "use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 "
            "to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_order(
    dataset: Any, batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if isinstance(dataset, IterableDataset):
        given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
        for option, value in given.items():
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {option} option, "
                    f"but got {option}={value}"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                "and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )


def _default_sampler(
    dataset: Any, shuffle: bool, generator: random.Generator | None
) -> Sampler[Any]:
    if isinstance(dataset, IterableDataset):
        return _InfiniteConstantSampler()
    if shuffle:
        return RandomSampler(dataset, generator=generator)
    return SequentialSampler(dataset)


def _read_context(context: Any, num_workers: int) -> Any:
    """A multiprocessing context, by its name or as it is; None stands for the usual one."""
    if context is None:
        return None
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading "
            f"(num_workers > 0), but got num_workers={num_workers}"
        )
    import multiprocessing
    from multiprocessing.context import BaseContext

    if isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        if context not in methods:
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{methods!r}, but got multiprocessing_context={context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string "
            f"specifying the start method, but got multiprocessing_context={context}"
        )
    return context


def _warn_of_many_workers(num_workers: int) -> None:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if num_workers > (usable or num_workers):
        warnings.warn(
            f"This DataLoader will create {num_workers} worker processes in total. Our suggested "
            f"max number of worker in current system is {usable}, which is smaller than what this "
            "DataLoader is going to create. Please be aware that excessive worker creation might "
            "get DataLoader running slow or even freeze, lower the worker number to avoid "
            "potential slowness/freeze if necessary.",
            stacklevel=3,
        )
