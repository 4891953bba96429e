"""Worker processes: they make batches ahead, and give them back in the sampler's order.

Each worker has a queue of tasks of its own; all answer into one queue. A task is a batch's number
and its indices; an answer is the number and the batch, an error, or that the worker's dataset has
ended.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import random as python_random
import traceback
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_mnist import random
from tinygrad_mnist.hardware import settings

from .fetch import LoaderIterator, Recipe

_PATIENCE = 5.0
"""Seconds between two looks at whether the other side lives: the workers, or their parent."""


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
    """A worker's life: seed all generators, then answer tasks until None comes.

    It ends too when its parent has died without sending one.
    """
    try:
        _prepare(job, number)
        _answer_all(job, number, tasks, answers)
    except KeyboardInterrupt:
        pass
    answers.cancel_join_thread()


def _prepare(job: Job, number: int) -> None:
    global _worker_info
    seed = job.base_seed + number
    settings.set_num_threads(1)
    random.manual_seed(seed)
    python_random.seed(seed)
    words = [number, job.base_seed & 0xFFFFFFFF, job.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))
    _worker_info = WorkerInfo(number, job.num_workers, seed, job.recipe.dataset)


def _answer_all(job: Job, number: int, tasks: Any, answers: Any) -> None:
    failed: Failure | None = None
    fetch = None
    parent = multiprocessing.parent_process()
    try:
        if job.init_fn is not None:
            job.init_fn(number)
        fetch = job.recipe.fetcher()
    except Exception as error:
        failed = _failure(error, number)
    while (task := _next_task(tasks, parent)) is not None:
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


def _next_task(tasks: Any, parent: Any) -> Any:
    """The next task; None when the parent has died."""
    while parent.is_alive():
        with contextlib.suppress(queue.Empty):
            return tasks.get(timeout=_PATIENCE)
    return None


def _failure(error: Exception, number: int) -> Failure:
    return Failure(type(error), "".join(traceback.format_exception(error)), number)


# In the main process.


class WorkerBatches(LoaderIterator):
    """A pass whose batches are made by worker processes."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        context = loader.multiprocessing_context or multiprocessing.get_context()
        self._answers = context.Queue()
        self._tasks = [context.Queue() for _ in range(loader.num_workers)]
        job = Job(loader._recipe(), self._base_seed, loader.num_workers, loader.worker_init_fn)
        self._processes = [
            context.Process(target=work, args=(job, number, tasks, self._answers), daemon=True)
            for number, tasks in enumerate(self._tasks)
        ]
        for process in self._processes:
            process.start()
        self._close = weakref.finalize(
            self, _stop, os.getpid(), self._processes, self._tasks, self._answers
        )
        self._begin()

    def _begin(self) -> None:
        self._active = [True] * len(self._processes)
        self._requested = 0
        self._turn = 0
        self._worker_of: dict[int, int] = {}
        """For each batch that was asked for and not delivered: the worker that makes it."""
        self._out_of_turn: dict[int, Any] = {}
        """Batches that came before it was their turn."""
        for _ in range((self._loader.prefetch_factor or 1) * len(self._processes)):
            self._ask()

    def restart(self, loader: Any) -> None:
        """Begin another pass with the same workers."""
        self._sampler_iter = iter(loader._index_sampler)
        self._yielded = 0
        for tasks in self._tasks:
            tasks.put(Restart())
        resumed = 0
        while resumed < len(self._tasks):
            resumed += isinstance(self._receive()[1], Restart)
        self._begin()

    def _ask(self) -> None:
        """Send the next batch's indices to the next worker that still has something to give."""
        if not any(self._active):
            return
        try:
            index = next(self._sampler_iter)
        except StopIteration:
            return
        while not self._active[self._turn]:
            self._turn = (self._turn + 1) % len(self._tasks)
        self._tasks[self._turn].put((self._requested, index))
        self._worker_of[self._requested] = self._turn
        self._requested += 1
        self._turn = (self._turn + 1) % len(self._tasks)

    def _next_batch(self) -> Any:
        while True:
            number, answer = self._take()
            if number is None:
                if not self._loader.persistent_workers:
                    self._close()
                raise StopIteration
            if isinstance(answer, Ended):
                self._active[answer.worker] = False
                self._ask()
                continue
            self._ask()
            if isinstance(answer, Failure):
                answer.reraise()
            return answer

    def _take(self) -> tuple[int | None, Any]:
        """The answer whose turn it is, with its batch's number; None when there are no more."""
        while self._worker_of:
            first = min(self._worker_of)
            if first in self._out_of_turn:
                del self._worker_of[first]
                return first, self._out_of_turn.pop(first)
            number, answer = self._receive()
            if number not in self._worker_of:
                continue
            if not self._loader.in_order:
                del self._worker_of[number]
                return number, answer
            self._out_of_turn[number] = answer
        return None, None

    def _receive(self) -> tuple[int, Any]:
        """The next answer; RuntimeError when it takes too long or a worker has died."""
        limit = self._loader.timeout
        waited = 0.0
        while True:
            patience = min(_PATIENCE, limit - waited) if limit else _PATIENCE
            try:
                received: tuple[int, Any] = self._answers.get(timeout=patience)
                return received
            except queue.Empty:
                waited += patience
            dead = [process.pid for process in self._processes if not process.is_alive()]
            if dead:
                self._close()
                listed = ", ".join(map(str, dead))
                raise RuntimeError(f"DataLoader worker (pid(s) {listed}) exited unexpectedly")
            if limit and waited >= limit:
                raise RuntimeError(f"DataLoader timed out after {limit} seconds")


def _stop(owner: int, processes: list[Any], tasks: list[Any], answers: Any) -> None:
    """Ask every worker to end, and end those that do not; only in the process that has them.

    A process forked from it finds copies of its iterators, and must leave the workers alone.
    """
    if os.getpid() != owner:
        return
    for each in tasks:
        with contextlib.suppress(ValueError):
            each.put(None)
            each.close()
    for process in processes:
        process.join(timeout=1.0)
        if process.is_alive():
            process.terminate()
            process.join()
    for each in (*tasks, answers):
        each.cancel_join_thread()
        each.close()
