"""How good a trained model is on digits that it never saw: loss, accuracy, what it takes for what.

Trained models come from files: safetensors, a run's checkpoint, a saved state_dict.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygrad_mnist as torch
from tinygrad_mnist.engine.wording import cut
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.serialization import files, safetensors
from tinygrad_mnist.serialization.files import ReadError

from . import checkpoints, report, shapes
from .logistic import CLASSES
from .models import MODELS
from .train import EVALUATED

if TYPE_CHECKING:
    from pathlib import Path

    from tinygrad_mnist import Tensor, nn
    from tinygrad_mnist.dtypes import Array


@dataclass(frozen=True)
class Evaluation:
    """Results over a set of digits."""

    loss: float
    confusion: Array
    """int64 (10, 10): how often each digit, the row, was taken for each, the column."""

    @property
    def accuracy(self) -> float:
        """The share of digits that were told right."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def recall(self) -> Array:
        """float64 (10,): for each digit, the share that was told right; NaN where there is none."""
        with np.errstate(invalid="ignore"):
            shares: Array = self.confusion.diagonal() / self.confusion.sum(1)
        return shares


@torch.no_grad()
def evaluate(model: nn.Module, x: Tensor, y: Tensor) -> Evaluation:
    """The model's results on at least one row of pixels and its label.

    >>> from tinygrad_mnist.app.logistic import Logistic
    >>> evaluate(Logistic(), torch.zeros(4, 784), torch.tensor([0, 1, 1, 2])).accuracy
    0.25
    """
    loss, confusion = 0.0, np.zeros((CLASSES, CLASSES), np.int64)
    model.eval()
    for start in range(0, len(x), EVALUATED):
        xb, yb = x[start : start + EVALUATED], y[start : start + EVALUATED]
        out = model(xb)
        loss += F.cross_entropy(out, yb, reduction="sum").item()
        np.add.at(confusion, (yb.numpy(), out.argmax(1).numpy()), 1)
    return Evaluation(loss / len(x), confusion)


@dataclass(frozen=True)
class Mistake:
    """A digit that was taken for another: its row, and how sure the model was of each digit."""

    row: int
    digit: int
    taken: int
    shares: list[float]


def judge(model: nn.Module, x: Tensor, y: Tensor, most: int) -> tuple[Array, list[Mistake]]:
    """The confusion matrix, and the worst `most` mistakes of each kind, the worst first.

    A mistake is the worse, the less sure the model was of the digit that it is.
    """
    parts = range(0, len(x), EVALUATED)
    sure = np.concatenate([probabilities(model, x[i : i + EVALUATED]) for i in parts])
    digits, taken = y.numpy(), sure.argmax(1)
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(confusion, (digits, taken), 1)
    mistakes: dict[tuple[int, int], list[Mistake]] = {}
    worst_first = np.argsort(sure[np.arange(len(digits)), digits], kind="stable")
    for row in worst_first[digits[worst_first] != taken[worst_first]].tolist():
        digit, other = int(digits[row]), int(taken[row])
        alike = mistakes.setdefault((digit, other), [])
        if len(alike) < most:
            shares = [round(share, 4) for share in sure[row].tolist()]
            alike.append(Mistake(row, digit, other, shares))
    return confusion, [each for kind in sorted(mistakes) for each in mistakes[kind]]


@torch.no_grad()
def probabilities(model: nn.Module, x: Tensor) -> Array:
    """float32 (n, 10): how sure the model is of each digit, for each row of pixels."""
    model.eval()
    sure: Array = F.softmax(model(x), dim=1).numpy()
    return sure


def as_picture(evaluation: Evaluation, suffix: str) -> bytes:
    """The confusion matrix as a picture, each row's shares in shades, the counts written in."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), layout="constrained")
    axes: Any = figure.subplots()
    counts = evaluation.confusion
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set(xticks=range(CLASSES), yticks=range(CLASSES), xlabel="taken for", ylabel="digit")
    axes.set_title(f"loss {evaluation.loss:.4f}, accuracy {evaluation.accuracy:.4f}")
    return report.bytes_of(figure, suffix)


def load(path: Path) -> tuple[str, nn.Module]:
    """A model's name, and the model with the weights in the file, which is not trusted.

    Where a file names no model, as other programs leave it, the shapes of its weights tell which
    it is, whatever they are called.

    Raises ReadError if the file cannot be read, or holds no model that there is.
    """
    content = files.read(path)
    is_zip = content.startswith(b"PK")  # as torch.save writes
    name, weights = _from_archive(path, content) if is_zip else _from_safetensors(path, content)
    if name not in MODELS:
        found = shapes.model_of(weights)
        if found is None:
            held = ", ".join(f"{key} {list(each.shape)}" for key, each in weights.items())
            raise ReadError(
                f"{path}: holds the weights of no model that there is ({shapes.KNOWN}). "
                f"It holds {cut(held) or 'no weights'}."
            )
        return found
    with torch.random.fork_rng():
        model = MODELS[name]()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ReadError(f"{path}: does not fit the model {name} ({reason}).") from error
    return name, model


def _from_archive(path: Path, content: bytes) -> tuple[str | None, dict[str, Tensor]]:
    try:
        state = torch.load(BytesIO(content))
    except Exception as error:  # what is in a file may be anything
        if "Unsupported global" in str(error):
            raise ReadError(
                f"{path}: holds a whole object of Python, which may be code and is not loaded; "
                "save its weights: torch.save(model.state_dict(), path)."
            ) from error
        raise ReadError(f"{path}: cannot be loaded ({cut(error)})") from error
    kind = state.get("format") if isinstance(state, dict) else None
    if isinstance(kind, str) and kind == checkpoints.FORMAT:
        checkpoint = checkpoints.checked(path, state)
        return checkpoint.settings.model, checkpoint.parameters()
    inside = list(state.values()) if isinstance(state, dict) else []
    found = [dict(each) for each in (state, *inside) if _is_state_dict(each)]
    if len(found) != 1:
        held = "several state_dicts" if found else "no state_dict"
        raise ReadError(
            f"{path}: is no checkpoint of `tinygrad-mnist train`, and holds {held}; save one: "
            "torch.save(model.state_dict(), path)."
        )
    return None, {str(name): tensor for name, tensor in found[0].items()}


def _is_state_dict(state: Any) -> bool:
    return (
        isinstance(state, dict)
        and len(state) > 0
        and all(isinstance(each, torch.Tensor) for each in state.values())
    )


def _from_safetensors(path: Path, content: bytes) -> tuple[str | None, dict[str, Tensor]]:
    try:
        weights = safetensors.load(content)
        name = safetensors.read_metadata(content).get("model")
    except Exception as error:  # what is in a file may be anything
        raise ReadError(
            f"{path}: is neither weights in safetensors nor a checkpoint ({cut(error)})."
        ) from error
    return name, dict(sorted(weights.items(), key=lambda item: _natural(item[0])))


def _natural(name: str) -> list[tuple[int, str]]:
    """Orders names as layers are numbered: "2.weight" before "10.weight"."""
    return [(int(part) if part.isdecimal() else -1, part) for part in name.split(".")]
