"""A training run as one page, written anew after each epoch: how it went, what was learned.

The page holds the model too, and runs it: a person draws a digit, and sees what the model makes of
it (`drawing.py`). `web/src/training/` shows what is gathered here.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygrad_mnist as torch
from tinygrad_mnist.autograd import grad
from tinygrad_mnist.explainer.output.html import document
from tinygrad_mnist.hardware.settings import get_num_threads
from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.serialization import files

from . import drawing
from .evaluation import judge
from .models import MODELS
from .report import finite, images_of, versions
from .train import Callback, Settings

if TYPE_CHECKING:
    from types import TracebackType

    from tinygrad_mnist import Tensor
    from tinygrad_mnist.dtypes import Array

    from .datasets import Digits
    from .drawing import Data
    from .logistic import Epoch
    from .train import Run

_EARLY, _LATE = 8, 8
"""How often weights are kept at most: in the first epoch, ever more rarely; and evenly after it."""
_JUDGED = 500
"""Digits over which the gradients of kept moments are taken: the same ones each time."""
_POINTS = 150
"""Points of the curve of the batches' losses."""
_WORST = 4
"""Pictures of each kind of mistake."""


class TrainingReport(Callback):
    """Writes a run's page as the run goes on; a context manager, so that it knows how it ended.

    Args:
        path: where the page is written, whole each time.
        run: what is trained.
        digits: what it is trained on.
        data: where they are from, as `train --data` has it; it stands in the command that repeats
            the run.

    Raises WriteError on entering where the page cannot be written. What cannot be written later
    is in `fault`, and does not stop the run.

    >>> import tempfile
    >>> from tinygrad_mnist.app.datasets.digits import from_pixels
    >>> from tinygrad_mnist.app.datasets import synthetic
    >>> from tinygrad_mnist.app.train import Run
    >>> parts = [synthetic.draw(count, seed=count) for count in (640, 100, 0)]
    >>> digits = from_pixels(parts, "synthetic", "a few digits").map(torch.from_numpy)
    >>> run = Run(Settings(lr=0.1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with TrainingReport(Path(folder, "page.html"), run, digits) as report:
    ...         result = run.train(digits, report)
    ...     "Trained: 2 of 2 epochs" in report.path.read_text(encoding="utf-8")
    True
    """

    def __init__(
        self, path: Path, run: Run, digits: Digits[Tensor], data: str | None = None
    ) -> None:
        self.path, self.run, self.digits = path, run, digits
        named = digits.source if digits.source in ("mnist", "synthetic") else "digits.npz"
        self.data = named if data is None else data
        self.fault: files.WriteError | None = None
        self._moments = Moments(run, digits)
        self._first = {name: p.detach().numpy().copy() for name, p in run.job.parameters.items()}
        self._mistakes: Data | None = None

    def __enter__(self) -> TrainingReport:
        self._moments.keep()
        if self.run.result.history:
            self._mistakes = self._judged()
        self._write("training")
        return self

    def wait(self, steps: int) -> int:
        """Until the next moment to be shown."""
        return min([w - steps for w in self._moments.wanted if w > steps], default=sys.maxsize)

    def step(self, rows: int, loss: Tensor) -> None:
        """Keeps the weights if it is one of the moments to be shown."""
        if len(self.run.losses) in self._moments.wanted:
            with self.run.set_aside():
                self._moments.keep()

    def epoch(self, epoch: Epoch) -> None:
        """Writes the page anew."""
        self._mistakes = self._judged()
        if epoch.epoch < self.run.settings.epochs:
            self._try_to_write("training")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            interrupted = isinstance(error, KeyboardInterrupt)
            reason = str(error) or type(error).__name__
            self._try_to_write("interrupted" if interrupted else "failed", reason.rstrip("."))
        else:
            self._try_to_write("interrupted" if self.run.result.interrupted else "complete")

    def _judged(self) -> Data:
        """What the model of the last complete epoch takes for what, of the validation digits."""
        x, y = self.digits.valid
        confusion, mistakes = judge(
            _model(self.run.settings.model, self.run.result.parameters), x, y, _WORST
        )
        rows = [mistake.row for mistake in mistakes]
        return {
            "counts": confusion.tolist(),
            "mistakes": [
                {"digit": each.digit, "taken": each.taken, "shares": each.shares}
                for each in mistakes
            ],
            "pictures": drawing.as_bytes(x.numpy()[rows]),
        }

    def _try_to_write(self, state: str, reason: str = "") -> None:
        try:
            self._write(state, reason)
            self.fault = None
        except files.WriteError as error:
            self.fault = error

    def _write(self, state: str, reason: str = "") -> None:
        settings = self.run.settings
        title = f"Training: {settings.model} on {self.digits.source} digits"
        if self.digits.source == "mnist":
            title = f"Training: {settings.model} on MNIST"
        content = document(title, "training", self._page(title, state, reason))
        with files.writing(self.path) as file:
            file.write(content.encode())

    def _page(self, title: str, state: str, reason: str) -> Data:
        run, settings = self.run, self.run.settings
        history = run.result.history
        images, labels = (each.numpy() for each in self.digits.valid)
        parameters = run.result.parameters if history else self._first
        return {
            "what": "training",
            "title": title,
            "state": {
                "kind": state,
                "told": _told(state, len(history), settings.epochs, reason) + _reached(history),
                "seconds": history[-1].seconds if history else None,
                "written": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            "settings": asdict(settings),
            "data": self._data(),
            "machine": machine(),
            "made": versions(),
            "command": command(settings, self.data, self.path),
            "history": [finite(asdict(epoch)) for epoch in history],
            "batches": _curve(run.loss_curve(len(self.digits.train[0]))),
            "moments": self._moments.data(),
            "confusion": self._mistakes,
            "source": f"the {settings.model} model {_when(len(history))}",
            "model": drawing.model_data(settings.model, parameters),
            "samples": drawing.samples_of(images, labels),
        }

    def _data(self) -> Data:
        splits = zip(("train", "valid", "test"), self.digits, strict=True)
        return {
            "description": self.digits.description,
            **{split: len(x) for split, (x, _) in splits},
        }


class Moments:
    """The first layer's weights, and the gradients of the loss by them, as a run goes on."""

    def __init__(self, run: Run, digits: Digits[Tensor]) -> None:
        self.run = run
        x, y = digits.train
        self._x, self._y = x[:_JUDGED], y[:_JUDGED]
        self._in_an_epoch = -(-len(x) // run.settings.batch_size)
        self._name, self._first = next(iter(run.job.parameters.items()))
        begun = len(run.losses)
        steps = run.settings.epochs * self._in_an_epoch - begun
        self.wanted = {begun + step for step in _spread(self._in_an_epoch, steps)}
        """After how many steps of the run they are kept."""
        self._kept: list[tuple[int, float, Array, Array]] = []

    def keep(self) -> None:
        """Keeps them as they are, if they are finite."""
        loss = self.run.job.loss_func(self.run.job.model(self._x), self._y)
        (gradient,) = grad(loss, [self._first])
        weights, gradients = (
            np.stack(list(self._images(each).values())) for each in (self._first.detach(), gradient)
        )
        numbers = (weights, gradients, loss.item())
        if all(np.isfinite(each).all() for each in numbers):
            self._kept.append((len(self.run.losses), loss.item(), weights, gradients))

    def _images(self, first: Tensor) -> dict[str, Array]:
        """Copies of what the page shows of the first layer: all filters, but ten of many units."""
        return images_of({self._name: first.numpy().copy()}, len(first))

    def data(self) -> Data | None:
        """All that were kept, in steps of 1/127 of the largest; None where none were."""
        if not self._kept:
            return None
        steps, losses, weights, gradients = zip(*self._kept, strict=True)
        scales = [_largest(each) for each in gradients]
        return {
            "titles": list(self._images(self._first.detach())),
            "parameter": self._name,
            "of": list(self._first.shape),
            "digits": len(self._x),
            "steps": steps,
            "epochs": [step / self._in_an_epoch for step in steps],
            "losses": losses,
            "weight_scale": (scale := _largest(np.stack(weights))),
            "weights": drawing.packed(_eighth(np.stack(weights), scale)),
            "gradient_scales": scales,
            "gradients": drawing.packed(
                np.stack([_eighth(*each) for each in zip(gradients, scales, strict=True)])
            ),
        }


def _spread(first: int, steps: int) -> set[int]:
    """Steps at which to look: often at the beginning, where most happens; the last is one."""
    early = np.geomspace(1, max(min(first, steps), 1), _EARLY)
    late = np.linspace(0, steps, _LATE + 1)[1:]
    return {int(step) for step in np.rint((*early, *late)) if step <= steps}


def _largest(array: Array) -> float:
    return float(np.abs(array).max()) or 1.0


def _eighth(array: Array, scale: float) -> Array:
    """Numbers in eight bits: 128 is zero, 255 the scale."""
    return np.rint(array / scale * 127 + 128).astype(np.uint8)


def _curve(losses: list[tuple[float, float]]) -> Data:
    """The losses of batches as few points: the mean of each stretch, its least and its largest."""
    stretches = np.array_split(np.array(losses).reshape(-1, 2), min(len(losses), _POINTS) or 1)
    points = [part[np.isfinite(part[:, 1])] for part in stretches]
    points = [part for part in points if len(part)]
    return {
        "epochs": [round(float(part[-1, 0]), 4) for part in points],
        "means": [float(f"{part[:, 1].mean():.4g}") for part in points],
        "least": [float(f"{part[:, 1].min():.4g}") for part in points],
        "most": [float(f"{part[:, 1].max():.4g}") for part in points],
    }


def _model(name: str, parameters: dict[str, Array]) -> Any:
    """A model that has these parameters; the random numbers of the run stay as they are."""
    with torch.random.fork_rng():
        model = MODELS[name]()
    model.load_state_dict({key: torch.from_numpy(each) for key, each in parameters.items()})
    return model


def _told(state: str, complete: int, epochs: int, reason: str) -> str:
    """How a run stands, in a sentence."""
    of = f"{complete} of {_epochs(epochs)}"
    if state == "training":
        return f"Training: epoch {complete + 1} of {epochs}."
    if state == "complete":
        return f"Trained: {of}."
    are = f"{of} {'is' if epochs == 1 else 'are'} complete"
    if state == "interrupted":
        return f"Stopped by hand: {are}."
    return f"Failed: {are}. {reason[:1].upper()}{reason[1:]}."


def _reached(history: list[Epoch]) -> str:
    """How good the model of the latest epoch is, where there was one."""
    return f" Validation accuracy {history[-1].valid_accuracy:.2%}." if history else ""


def _when(complete: int) -> str:
    return f"after {_epochs(complete)}" if complete else "before training"


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def command(settings: Settings, data: str, path: Path) -> str:
    """What a person types to have the same run, and its page, again.

    >>> command(Settings(epochs=5, lr=0.2), "synthetic", Path("page.html"))
    'tinygrad-mnist train --epochs 5 --lr 0.2 --data synthetic --report page.html'
    """
    words = ["tinygrad-mnist", "train"]
    stage = "raw" if settings.model == "logistic" else "module"
    for field in fields(settings):
        value = getattr(settings, field.name)
        usual = stage if field.name == "stage" else field.default
        if field.name == "lr" or value != usual:
            option = "--" + field.name.replace("_", "-")
            words += [option] if value is True else [option, str(value)]
    if (threads := get_num_threads()) != 1:
        words += ["--threads", str(threads)]
    return shlex.join([*words, "--data", data, "--report", str(path)])


def machine() -> Data:
    """What the run is computed on."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": get_num_threads(),
        "kernels": dispatch.choice,
    }


def _processor() -> str:
    """The processor's name, where the system tells it."""
    with suppress(OSError):
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^model name\s*:\s*(.*)$", told, re.MULTILINE):
            return found[1]
    return platform.processor() or platform.machine()
