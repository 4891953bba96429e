"""A worker process: it waits for tasks, makes batches, and answers."""

from __future__ import annotations

import random as python_random
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_mnist import random
from tinygrad_mnist.hardware import threads

from .fetching import Recipe


class WorkerInfo(NamedTuple):
    """What a worker may know of itself: its number, how many there are, its seed, its dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process, who it is; None in the main process.

    An IterableDataset asks it which part of the samples it should give.
    """
    return _worker_info


class Job(NamedTuple):
    """What all workers of a loader are told when they start."""

    recipe: Recipe
    base_seed: int
    num_workers: int
    init_fn: Callable[[int], Any] | None


class Restart(NamedTuple):
    """Begin another pass."""


class Ended(NamedTuple):
    """A worker's dataset has no more samples."""

    worker: int


class Failure(NamedTuple):
    """An error in a worker: its class, and its traceback as text."""

    kind: type[BaseException]
    text: str
    worker: int

    def reraise(self) -> NoReturn:
        """Raise it here, with the worker's traceback as its message."""
        message = (
            f"Caught {self.kind.__name__} in DataLoader worker process {self.worker}.\n"
            f"Original {self.text}"
        )
        if self.kind is KeyError:
            raise KeyError(_Verbatim(message))
        try:
            error = self.kind(message)
        except Exception:
            error = RuntimeError(message)
        raise error


class _Verbatim(str):
    """A text that KeyError prints with its line breaks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def work(job: Job, number: int, tasks: Any, answers: Any) -> None:
    """A worker's life: seed all generators, then answer tasks until None comes."""
    try:
        _prepare(job, number)
        _answer_all(job, number, tasks, answers)
    except KeyboardInterrupt:
        pass
    answers.cancel_join_thread()


def _prepare(job: Job, number: int) -> None:
    global _worker_info
    seed = job.base_seed + number
    threads.set_num_threads(1)
    random.manual_seed(seed)
    python_random.seed(seed)
    words = [number, job.base_seed & 0xFFFFFFFF, job.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))
    _worker_info = WorkerInfo(number, job.num_workers, seed, job.recipe.dataset)


def _answer_all(job: Job, number: int, tasks: Any, answers: Any) -> None:
    failed: Failure | None = None
    fetch = None
    try:
        if job.init_fn is not None:
            job.init_fn(number)
        fetch = job.recipe.fetcher()
    except Exception as error:
        failed = _failure(error, number)
    while (task := tasks.get()) is not None:
        if isinstance(task, Restart):
            fetch = job.recipe.fetcher()
            answers.put((-1, task))
            continue
        batch_number, index = task
        if failed is not None or fetch is None:
            answers.put((batch_number, failed))
            continue
        try:
            answer = fetch(index)
        except StopIteration:
            answer = Ended(number)
        except Exception as error:
            answer = _failure(error, number)
        answers.put((batch_number, answer))


def _failure(error: Exception, number: int) -> Failure:
    return Failure(type(error), "".join(traceback.format_exception(error)), number)
