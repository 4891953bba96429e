"""`scan`: a compiled step over many batches, without coming back to Python between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np

from tinygrad_mnist.engine.tensor import Tensor, TensorBase, wrap
from tinygrad_mnist.optim.lr_scheduler import LRScheduler
from tinygrad_mnist.random import Generator, default_generator
from tinygrad_mnist.utils.data import DataLoader, TensorDataset

from .batches import Batches, batches_of
from .compiled import Compiled
from .inputs import tensors_in
from .native_loop import Group, native_loop
from .program import Array
from .results import Result, collected
from .schedules import Schedule

_MOST = 64
"""After how many steps taken from Python native code is tried again, at most."""


def scan(
    step: Callable[..., Any],
    xs: DataLoader[Any] | Tensor | Sequence[Tensor],
    *args: Any,
    scheduler: LRScheduler | None = None,
    progress: Callable[[int, Any], object] | None = None,
    **order: Unpack[Order],
) -> Any:
    """Call a compiled step for each batch; what the steps return, stacked.

    Args:
        step: a function that `compile` made. It is called with the tensors of a batch, then `args`,
            and keeps what goes from step to step in parameters, as a training step does.
        xs: a DataLoader; or tensors, whose rows make the batches.
        *args: what else each step is called with.
        scheduler: is stepped after each step.
        progress: is called again and again, and at the end, with the number of steps that were
            taken and what those since the last time returned, stacked.
        **order: of tensors, `batch_size`, `shuffle`, `sampler`, `drop_last` and `generator`, as
            DataLoader takes them. Without a size each step gets one row, as in `jax.lax.scan`.

    All is as if the step were called in a loop over the batches, bit for bit, but the loop runs
    compiled; Ctrl-C and `progress` come through about twenty times a second. Where it cannot
    (random numbers in the step, a batch of another shape, a loader with a dataset of its own, a
    schedule that calls a function), the step is called from Python. Results are detached; what is
    no tensor is what the last step returned. None where there is no batch.

    >>> step = torch.compile(lambda x, total: total.add_(x).sum())
    >>> torch.compiler.scan(step, torch.ones(4, 2), torch.zeros(2))
    tensor([2., 4., 6., 8.])
    """
    _check(step, scheduler, progress)
    loader = _loader(xs, order)
    run = _Run(step, args, Schedule(scheduler), progress)
    draws = loader is xs or order.get("shuffle", False)
    batches = batches_of(loader, draws)
    if batches is not None and isinstance(step, Compiled):
        run.over(batches)
    else:
        for n, batch in enumerate(_in_order(loader, draws) if batches is None else batches):
            run.call(n, batch)
    return run.returned()


def _in_order(loader: DataLoader[Any], draws: bool) -> Iterator[Any]:
    """The loader's batches; unless it `draws`, no seed is drawn for workers that there are not."""
    generator = loader.generator or default_generator
    state = generator.get_state()
    batches = iter(loader)
    if not draws:
        generator.set_state(state)
    return batches


class Order(TypedDict, total=False):
    """Which rows make a batch, in DataLoader's words."""

    batch_size: int | None
    shuffle: bool
    sampler: Iterable[int] | Tensor | None
    drop_last: bool
    generator: Generator | None


def _loader(xs: Any, order: Order) -> DataLoader[Any]:
    if not isinstance(xs, DataLoader):
        dataset = TensorDataset(*_tensors(xs))
        order.setdefault("batch_size", None)
        return DataLoader(dataset, **order)
    if order:
        raise ValueError(f"scan: a DataLoader has its own {', '.join(order)}")
    loader: DataLoader[Any] = xs
    return loader


def _tensors(xs: Any) -> list[Any]:
    """The tensors whose rows make the batches."""
    several = [xs] if isinstance(xs, Tensor) or not isinstance(xs, Iterable) else [*xs]
    for given in [xs] if isinstance(xs, np.ndarray | dict | str) else several:
        if not isinstance(given, TensorBase):
            remedy = {np.ndarray: "torch.from_numpy(array)", dict: "its values"}.get(type(given))
            raise TypeError(
                "scan takes a DataLoader, a tensor or a sequence of tensors, whose rows make the "
                f"batches, and found {type(given).__name__}: give it {remedy or 'torch.tensor(…)'}"
            )
        if not given._array.ndim:
            raise ValueError("scan goes over the rows of tensors, and one of no dimension has none")
    if not several:
        raise ValueError("scan: there is no tensor whose rows make batches")
    return several


def _check(step: Any, scheduler: Any, progress: Any) -> None:
    plain = scheduler is None or isinstance(scheduler, LRScheduler)
    for name, given, fits, wanted in (
        ("step", step, callable(step), "a function that compile made"),
        ("scheduler", scheduler, plain, "a schedule of torch.optim.lr_scheduler"),
        (
            "progress",
            progress,
            progress is None or callable(progress),
            "a function of a number and results",
        ),
    ):
        if not fits:
            raise TypeError(f"scan: {name} is {wanted}, not {type(given).__name__}")


class _Run:
    """A scan as it goes on."""

    def __init__(
        self, step: Any, args: tuple[Any, ...], schedule: Schedule,
        progress: Callable[[int, Any], object] | None,
    ) -> None:  # fmt: skip
        self.step, self.args, self.schedule, self.progress = step, args, schedule, progress
        self.like: Any = None
        """What a step returned."""
        self.pieces: list[list[Array]] = []
        """For each group of steps, the arrays that they returned, stacked."""

    def call(self, n: int, batch: Any) -> None:
        """Take step n from Python."""
        parts = batch if isinstance(batch, list | tuple) else [batch]
        returned = self.step(*parts, *self.args)
        arrays = [tensor._array.copy()[None] for tensor in tensors_in(returned)]
        self.schedule.step()
        self.note(n + 1, returned, arrays)

    def over(self, batches: Batches) -> None:
        """Take a step for each batch, compiled ones together."""
        n, patience, due = 0, 1, 0
        while n < len(batches):
            taken = 0
            if due <= n < batches.full:
                taken = self.together(batches, n)
                patience, due = (1, n) if taken else (min(2 * patience, _MOST), n + patience)
            if not taken:
                self.call(n, batches[n])
            n += taken or 1
        batches.end()

    def together(self, batches: Batches, n: int) -> int:
        """Take steps from batch n on in native code, for a while; how many."""
        first = (*batches[n], *self.args)
        for entry in self.step.programs(first):
            loop = native_loop(entry, len(batches.tensors))
            group = loop.group(first, batches, n, self.schedule)
            if group is not None:
                self._take(group, n)
                return group.done
        return 0

    def _take(self, group: Group, n: int) -> None:
        """Let a group take its steps; what it took is noted even where Ctrl-C ends it."""
        try:
            group.run()
        finally:
            arrays = group.settle()
            self.schedule.back_to(group.done)
            if group.done:
                self.note(n + group.done, group.template, arrays)

    def note(self, steps: int, like: Any, arrays: list[Array]) -> None:
        """Keep what steps returned, and tell of it."""
        self.like = like
        self.pieces.append(arrays)
        if self.progress is not None:
            self.progress(steps, _filled(like, arrays))

    def returned(self) -> Any:
        """What all steps returned."""
        if not self.pieces:
            return None
        if len({len(arrays) for arrays in self.pieces}) > 1:
            raise RuntimeError("scan: the steps return different numbers of tensors")
        together = [_joined(pieces) for pieces in zip(*self.pieces, strict=True)]
        return _filled(self.like, together)


def _joined(pieces: Sequence[Array]) -> Array:
    """The results of all steps, one after the other."""
    shapes = {piece.shape[1:] for piece in pieces}
    if len(shapes) > 1:
        told = " and ".join(str(list(shape)) for shape in sorted(shapes))
        raise RuntimeError(
            f"scan stacks what the steps return, and found tensors of shapes {told}: return a "
            "mean or a sum over the batch, or leave out the short last batch with drop_last=True"
        )
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _filled(like: Any, arrays: list[Array]) -> Any:
    """What was returned, these arrays in place of its tensors."""
    rest = iter(arrays)

    def put(part: Any) -> Any:
        if isinstance(part, TensorBase | Result):
            return wrap(next(rest))
        if isinstance(part, tuple | list):
            return collected(part, [put(each) for each in part])
        if isinstance(part, dict):
            return {key: put(each) for key, each in part.items()}
        return part

    return put(like)
