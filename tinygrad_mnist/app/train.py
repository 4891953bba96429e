"""The training job: which data, which model and optimiser, the loop, and what it gives.

>>> from tinygrad_mnist.app.datasets.digits import from_pixels
>>> from tinygrad_mnist.app.datasets import synthetic
>>> parts = [synthetic.draw(640), synthetic.draw(100, seed=1), synthetic.draw(100, seed=2)]
>>> digits = from_pixels(parts, "synthetic", "a few digits").map(torch.from_numpy)
>>> result = train(Settings(epochs=3, lr=0.1), digits)
>>> [epoch.epoch for epoch in result.history]
[1, 2, 3]
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinygrad_mnist as torch
from tinygrad_mnist import kernels, optim
from tinygrad_mnist.engine.wording import shown
from tinygrad_mnist.hardware.settings import limit_again
from tinygrad_mnist.nn import functional as F

from . import datasets, logistic
from .datasets.digits import load_archive
from .logistic import STAGES, Epoch, Job, accuracy
from .models import MODELS

if TYPE_CHECKING:
    from tinygrad_mnist import Tensor
    from tinygrad_mnist.dtypes import Array

    from .datasets import Digits

    Step = Callable[[Tensor, Tensor, float], Tensor]
    """A step of gradient descent: of a batch and the learning rate, its loss."""

OPTIMIZERS = {
    "sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSprop,
}  # fmt: skip
MOMENTUM_FOR = ("sgd", "rmsprop")
"""The optimisers that can have momentum."""
EVALUATED = 2_000
"""Rows at a time where a model is only asked: what it computes then stays small."""


_FROM_ZERO = 0, sys.float_info.max, "a finite number from 0 on"
_FROM_ONE = 1, 2**63 - 1, "1 or more"
_RANGES = {
    "epochs": _FROM_ONE,
    "batch_size": _FROM_ONE,
    "lr": _FROM_ZERO,
    "momentum": _FROM_ZERO,
    "seed": (-(2**63), 2**64 - 1, "a number of 64 bits"),
}
"""The least and the largest value of settings that are numbers, and how that is told."""


@dataclass(frozen=True)
class Settings:
    """What fixes a run, besides the data; the defaults are the tutorial's.

    Raises ValueError if a name is unknown, a number out of range, or settings contradict one
    another.
    """

    model: str = "logistic"
    stage: str = "raw"
    optimizer: str = "sgd"
    momentum: float = 0.0
    shuffle: bool = False
    epochs: int = 2
    batch_size: int = 64
    lr: float = 0.5
    seed: int = 0
    compile: bool = False

    def __post_init__(self) -> None:
        for setting in fields(self):
            value, kind = getattr(self, setting.name), type(setting.default)
            right = isinstance(value, (float, int) if kind is float else kind)
            if not right or isinstance(value, bool) != (kind is bool):
                raise ValueError(f"{setting.name} {shown(value)}: expected {kind.__name__}")
        for name, known in (("model", MODELS), ("stage", STAGES), ("optimizer", OPTIMIZERS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} {shown(value)}: expected one of {', '.join(known)}")
        for name, (least, most, told) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} {shown(getattr(self, name))}: expected {told}")
        if self.model != "logistic" and self.stage != "module":
            raise ValueError(f"stage {self.stage!r} is of the logistic model alone")
        if self.momentum and self.optimizer not in MOMENTUM_FOR:
            raise ValueError(f"momentum is for {' and '.join(MOMENTUM_FOR)}, not {self.optimizer}")


def usual_lr(model: str, optimizer: str, momentum: float) -> float:
    """A learning rate that does well: the tutorial's 0.5 and 0.1, the optimisers' own 0.001."""
    if optimizer != "sgd":
        return 0.001
    return 0.5 if model == "logistic" and not momentum else 0.1


def build(settings: Settings) -> tuple[Job, Any]:
    """The job, its weights drawn from the generator that `manual_seed` sets, and its optimiser.

    Gradient descent of the logistic model is written by hand, as in the tutorial: it has no
    optimiser, and None stands for it.
    """
    if settings.model == "logistic":
        job = logistic.build(settings.stage)
        if settings.optimizer == "sgd" and not settings.momentum:
            return job, None
    else:
        model = MODELS[settings.model]()
        job = Job(model, F.cross_entropy, dict(model.named_parameters()), lambda lr: None)
    momentum = {"momentum": settings.momentum} if settings.optimizer in MOMENTUM_FOR else {}
    make: Any = OPTIMIZERS[settings.optimizer]
    optimizer = make(list(job.parameters.values()), lr=settings.lr, **momentum)

    def update(lr: float) -> None:
        optimizer.step()
        optimizer.zero_grad()

    return replace(job, update=update), optimizer


@dataclass
class Result:
    """The epochs that were completed, and the parameters by name as the last of them left them."""

    history: list[Epoch] = field(default_factory=list)
    parameters: dict[str, Array] = field(default_factory=dict)
    interrupted: bool = False


class NotFiniteError(ArithmeticError):
    """A loss or a parameter is infinite or no number; the message says where, and what to do."""


class Callback:
    """What is told of a run as it goes; this one ignores it. `step` must be quick."""

    def wait(self, steps: int) -> int:
        """After `steps` of the run, how many more may be made before it is told again."""
        return sys.maxsize if type(self).step is Callback.step else 1

    def step(self, rows: int, loss: Tensor) -> None:
        """A step was made: the rows of the epoch so far, and the loss of the batch."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch was completed."""


class Callbacks(Callback):
    """Several that are told, one after the other."""

    def __init__(self, *callbacks: Callback) -> None:
        self.callbacks = callbacks

    def wait(self, steps: int) -> int:
        """As many as each of them can wait."""
        return min([callback.wait(steps) for callback in self.callbacks], default=sys.maxsize)

    def step(self, rows: int, loss: Tensor) -> None:
        """Tells each of them of the step."""
        for callback in self.callbacks:
            callback.step(rows, loss)

    def epoch(self, epoch: Epoch) -> None:
        """Tells each of them of the epoch."""
        for callback in self.callbacks:
            callback.epoch(epoch)


def load(where: str = "auto") -> Digits[Tensor]:
    """The digits to train on.

    Args:
        where: `auto`, `mnist` or `synthetic`, as `datasets.mnist.load` takes them; or a folder
            that holds MNIST; or an archive (`.npz`) that `datasets.digits.save_archive` wrote.

    Raises DataError if nothing is there, or it is not what it should be.
    """
    if where in ("auto", "mnist", "synthetic"):
        return datasets.mnist.load(where)  # type: ignore[arg-type]
    path = Path(where).expanduser()
    if path.is_dir():
        return datasets.mnist.load("mnist", folder=path)
    if path.suffix == ".npz":
        return load_archive(path).map(torch.from_numpy)
    raise datasets.DataError(
        f"{where}: expected auto, mnist, synthetic, an existing folder with MNIST, "
        "or a .npz file of arrays."
    )


def train(settings: Settings, digits: Digits[Tensor], callback: Callback | None = None) -> Result:
    """Trains a model; Ctrl-C ends it with the epochs that were completed.

    Raises NotFiniteError where the loss becomes infinite, or no number.
    """
    return Run(settings).train(digits, callback)


class Run(Callback):
    """A run as it goes on: what a checkpoint keeps, and all that comes next depends on."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.job, self.optimizer = build(settings)
        step = step_of(self.job)
        self.take = torch.compile(step) if settings.compile else step
        self.result = Result()
        self.losses: list[float] = []
        """The loss of each step's batch."""
        self.rows = 0
        """The rows of the epoch that were trained on."""
        self.seconds = 0.0
        """The time they took."""
        self._begin = 0.0
        self.order_state = torch.get_rng_state()
        """The random state from which the epoch's order was drawn."""

    def train(
        self,
        digits: Digits[Tensor],
        callback: Callback | None = None,
        keep: Callable[[Run], None] | None = None,
        every: int | None = None,
    ) -> Result:
        """Goes on until all epochs are complete, or Ctrl-C.

        Args:
            digits: what to train on.
            callback: is told of every step and epoch.
            keep: is called with the run after every epoch, and after every so many steps.
            every: how many.

        Raises:
            NotFiniteError: the loss is not finite, or what is to be kept. What was kept before
                stays, and `result` has the epochs before.
        """
        self._callback = Callback() if callback is None else callback
        self._keep = keep
        self._every = every
        try:
            kernels.warm_up()
            limit_again()
            while len(self.result.history) < self.settings.epochs:
                self._train_epoch(digits)
        except KeyboardInterrupt:
            self.result.interrupted = True
        return self.result

    def _train_epoch(self, digits: Digits[Tensor]) -> None:
        """What is left of the epoch, and its results."""
        settings, job = self.settings, self.job
        if not self.rows:
            self.order_state = torch.get_rng_state()
        order = self._order(len(digits.train[0]))
        self._begin = time.perf_counter() - self.seconds
        if settings.compile:
            self._scan(*digits.train, order)
        else:
            train_epoch(
                self.take, *digits.train, settings.batch_size, settings.lr, self, order, self.rows
            )
        seconds = time.perf_counter() - self._begin
        results = (*evaluate(job, *digits.train), *evaluate(job, *digits.valid))
        self._check_finite(*results)
        epoch = Epoch(len(self.result.history) + 1, *results, seconds)
        parameters = {name: p.detach().numpy().copy() for name, p in job.parameters.items()}
        self.result = Result([*self.result.history, epoch], parameters)
        self.rows, self.seconds = 0, 0.0
        if self._keep is not None:
            self._keep(self)
        self._callback.epoch(epoch)

    def _scan(self, x: Tensor, y: Tensor, order: Tensor | None) -> None:
        """`train_epoch` with a compiled step: all that comes until somebody looks in one call."""
        size = self.settings.batch_size
        while self.rows < len(x):
            begin, wait = self.rows, self._callback.wait(len(self.losses))
            if self._keep is not None and self._every:
                wait = min(wait, self._every - len(self.losses) % self._every)
            rows = range(begin, min(begin + wait * size, len(x)))
            sampler = rows if order is None else order[rows.start : rows.stop]

            def progress(steps: int, losses: Tensor, begin: int = begin) -> None:
                for loss in losses[:-1].tolist():
                    self._note(loss)
                self.step(begin + steps * size, losses[-1])

            torch.compiler.scan(
                self.take, (x, y), self.settings.lr,
                batch_size=size, sampler=sampler, progress=progress,
            )  # fmt: skip

    def _order(self, rows: int) -> Tensor | None:
        """The epoch's order, drawn again where the epoch is resumed; None is that of the data."""
        if not self.settings.shuffle:
            return None
        resumed = self.rows > 0
        state = torch.get_rng_state()
        torch.set_rng_state(self.order_state)
        order: Tensor = torch.randperm(rows)
        if resumed:
            torch.set_rng_state(state)
        return order

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """What is done in the block does not count as the epoch's time."""
        begun = time.perf_counter()
        yield
        self._begin += time.perf_counter() - begun

    def loss_curve(self, rows: int) -> list[tuple[float, float]]:
        """For each step on `rows` digits, how many epochs had passed, and the batch's loss."""
        size = self.settings.batch_size
        in_an_epoch = -(-rows // size)
        return [
            (step // in_an_epoch + min((step % in_an_epoch + 1) * size / rows, 1.0), loss)
            for step, loss in enumerate(self.losses)
        ]

    def step(self, rows: int, loss: Tensor) -> None:
        """Notes where the run is, and keeps it if it is time."""
        self.rows = rows
        try:
            self._note(loss.item())
        finally:
            self._callback.step(rows, loss)
        if self._keep is not None and self._every and len(self.losses) % self._every == 0:
            self._check_finite()
            self.seconds = time.perf_counter() - self._begin
            self._keep(self)

    def _note(self, loss: float) -> None:
        self.losses.append(loss)
        if not math.isfinite(loss):
            self._check_finite(loss)

    def _check_finite(self, *results: float) -> None:
        parameters = (torch.isfinite(p).all().item() for p in self.job.parameters.values())
        if not all(math.isfinite(each) for each in results) or not all(parameters):
            raise NotFiniteError(
                f"the loss or a weight is not finite after step {len(self.losses)}: "
                "try a smaller --lr"
            )


def step_of(job: Job) -> Step:
    """One step of gradient descent of a job."""

    def step(x: Tensor, y: Tensor, lr: float) -> Tensor:
        loss: Tensor = job.loss_func(job.model(x), y)
        loss.backward()
        job.update(lr)
        return loss

    return step


def train_epoch(
    step: Step,
    x: Tensor,
    y: Tensor,
    batch_size: int,
    lr: float,
    callback: Callback | None = None,
    order: Tensor | None = None,
    start: int = 0,
) -> None:
    """One `step` for each batch from row `start` on; the last batch may be smaller.

    The rows are taken in `order`, or as they come.
    """
    tell = None if callback is None else callback.step
    for start_i in range(start, len(x), batch_size):
        end_i = start_i + batch_size
        rows = slice(start_i, end_i) if order is None else order[start_i:end_i]
        loss = step(x[rows], y[rows], lr)
        if tell is not None:
            tell(end_i, loss)


@torch.no_grad()
def evaluate(job: Job, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy over all rows."""
    loss = right = 0.0
    for start_i in range(0, len(x), EVALUATED):
        xb, yb = x[start_i : start_i + EVALUATED], y[start_i : start_i + EVALUATED]
        out = job.model(xb)
        loss += job.loss_func(out, yb).item() * len(yb)
        right += accuracy(out, yb).item() * len(yb)
    return loss / len(x), right / len(x)
