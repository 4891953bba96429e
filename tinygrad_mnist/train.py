"""The training job: which data, which model, the loop, and what it gives.

>>> from tinygrad_mnist.datasets.digits import from_pixels
>>> from tinygrad_mnist.datasets import synthetic
>>> import tinygrad_mnist as torch
>>> parts = [synthetic.draw(640), synthetic.draw(100, seed=1), synthetic.draw(100, seed=2)]
>>> digits = from_pixels(parts, "synthetic", "a few digits").map(torch.from_numpy)
>>> result = train(Settings(epochs=3, lr=0.1), digits)
>>> [epoch.epoch for epoch in result.history]
[1, 2, 3]
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tinygrad_mnist as torch
from tinygrad_mnist import datasets, kernels
from tinygrad_mnist.datasets import archive
from tinygrad_mnist.logistic import Epoch, accuracy, build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinygrad_mnist import Tensor
    from tinygrad_mnist.datasets import Digits
    from tinygrad_mnist.dtypes import Array
    from tinygrad_mnist.logistic import Job


@dataclass(frozen=True)
class Settings:
    """What fixes a run, besides the data; the defaults are the tutorial's."""

    stage: str = "raw"
    epochs: int = 2
    batch_size: int = 64
    lr: float = 0.5
    seed: int = 0


@dataclass
class Result:
    """The epochs that were completed, and the parameters by name as the last of them left them."""

    history: list[Epoch] = field(default_factory=list)
    parameters: dict[str, Array] = field(default_factory=dict)
    interrupted: bool = False


class Watch:
    """What is told of a run as it goes; this one ignores it. `step` must be quick."""

    def step(self, rows: int, loss: Tensor) -> None:
        """A step was made: the rows of the epoch so far, and the loss of the batch."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch was completed."""


def load(where: str = "auto") -> Digits[Tensor]:
    """The digits to train on.

    Args:
        where: `auto`, `mnist` or `synthetic`, as `datasets.mnist.load` takes them; or a folder
            that holds MNIST; or an archive (`.npz`) that `datasets.archive.save` wrote.

    Raises:
        DataError: nothing is there, or it is not what it should be.
    """
    if where in ("auto", "mnist", "synthetic"):
        return datasets.mnist.load(where)  # type: ignore[arg-type]
    path = Path(where).expanduser()
    if path.is_dir():
        return datasets.mnist.load("mnist", folder=path)
    if path.suffix == ".npz":
        return archive.load(path).map(torch.from_numpy)
    raise datasets.DataError(
        f"{where}: expected auto, mnist, synthetic, an existing folder with MNIST, "
        "or a .npz file of arrays."
    )


def train(settings: Settings, digits: Digits[Tensor], watch: Watch | None = None) -> Result:
    """Trains the logistic model; Ctrl-C ends it with the epochs that were completed.

    Raises:
        ValueError: `settings` names no stage that there is.
    """
    watch = Watch() if watch is None else watch
    result = Result()
    torch.manual_seed(settings.seed)
    job = build(settings.stage)
    try:
        kernels.warm_up()
        for epoch in fit(job, digits, settings, watch):
            parameters = {name: p.detach().numpy().copy() for name, p in job.parameters.items()}
            result = Result([*result.history, epoch], parameters)
            watch.epoch(epoch)
    except KeyboardInterrupt:
        result.interrupted = True
    return result


def fit(job: Job, digits: Digits[Tensor], settings: Settings, watch: Watch) -> Iterator[Epoch]:
    """Trains on batches in order, and yields each epoch's results as it ends."""
    for epoch in range(1, settings.epochs + 1):
        begin = time.perf_counter()
        train_epoch(job, *digits.train, settings.batch_size, settings.lr, watch)
        seconds = time.perf_counter() - begin
        yield Epoch(epoch, *evaluate(job, *digits.train), *evaluate(job, *digits.valid), seconds)


def train_epoch(
    job: Job, x: Tensor, y: Tensor, batch_size: int, lr: float, watch: Watch | None = None
) -> None:
    """One step of gradient descent for each batch, in order; the last batch may be smaller."""
    step = None if watch is None else watch.step
    for start_i in range(0, len(x), batch_size):
        end_i = start_i + batch_size
        loss = job.loss_func(job.model(x[start_i:end_i]), y[start_i:end_i])
        loss.backward()
        job.update(lr)
        if step is not None:
            step(end_i, loss)


@torch.no_grad()
def evaluate(job: Job, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Loss and accuracy over all rows at once."""
    out = job.model(x)
    return job.loss_func(out, y).item(), accuracy(out, y).item()
