"""What a training run leaves behind: rows of a table, files of results, parameters, pictures."""

import json
import os
import platform
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from reference.logistic import Epoch

COLUMNS = ("epoch", "train loss", "train accuracy", "valid loss", "valid accuracy", "seconds")
PICTURES = (".png", ".svg", ".pdf")


def row(epoch: Epoch) -> str:
    """One line of the table under ``COLUMNS``."""
    cells = (
        f"{epoch.epoch}",
        f"{epoch.train_loss:.4f}",
        f"{epoch.train_accuracy:.4f}",
        f"{epoch.valid_loss:.4f}",
        f"{epoch.valid_accuracy:.4f}",
        f"{epoch.seconds:.2f}",
    )
    return "  ".join(cell.rjust(len(column)) for cell, column in zip(cells, COLUMNS, strict=True))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside ``path``, which takes its place at the end, if all goes well."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():  # a terminal, a pipe
        yield target
        return
    new = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    new.touch(exist_ok=False)
    try:
        yield new
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def save_report(path: Path, settings: Mapping[str, object], history: Sequence[Epoch]) -> None:
    """Writes settings, each epoch's results and the versions that gave them, as JSON."""
    report = {
        **settings,
        "history": [asdict(epoch) for epoch in history],
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    with replacing(path) as new:
        new.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def save_parameters(path: Path, parameters: Mapping[str, Tensor], model: str) -> None:
    """Writes the parameters by name in the safetensors format, and the model's name."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu() for name, tensor in parameters.items()}
    with replacing(path) as new:
        save_file(tensors, new, {"model": model})


def images_of(parameters: Mapping[str, Tensor]) -> Tensor:
    """Ten images of a model's first weights: those of the digits, hidden units or filters."""
    if "weights" in parameters:
        return parameters["weights"].T.reshape(10, 28, 28)
    if "hidden.weight" in parameters:
        return parameters["hidden.weight"][:10].reshape(10, 28, 28)
    return parameters["conv1.weight"][:10, 0]


def save_plot(path: Path, parameters: Mapping[str, Tensor], history: Sequence[Epoch]) -> None:
    """Draws ten images of the first weights, and the losses epoch by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    images, losses = figure.subfigures(2, 1, height_ratios=(2, 1.5))
    templates = images_of(parameters).detach().cpu()
    scale = templates.abs().max().item()
    for number, axes in enumerate(images.subplots(2, 5).flat):
        axes.imshow(templates[number].numpy(), cmap="RdBu_r", vmin=-scale, vmax=scale)
        axes.set_title(str(number))
        axes.set_axis_off()
    axes = losses.subplots()
    epochs = [epoch.epoch for epoch in history]
    axes.plot(epochs, [epoch.train_loss for epoch in history], marker="o", label="train")
    axes.plot(epochs, [epoch.valid_loss for epoch in history], marker="o", label="valid")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_xticks(epochs)
    axes.legend()
    with replacing(path) as new:
        figure.savefig(new)
