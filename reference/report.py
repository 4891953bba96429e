"""What a training run leaves behind: rows of a table, files of results, parameters, pictures."""

import json
import platform
from collections.abc import Mapping, Sequence
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


def save_report(path: Path, settings: Mapping[str, object], history: Sequence[Epoch]) -> None:
    """Writes settings, each epoch's results and the versions that gave them, as JSON."""
    report = {
        **settings,
        "history": [asdict(epoch) for epoch in history],
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def save_parameters(path: Path, parameters: Mapping[str, Tensor]) -> None:
    """Writes the parameters by name in the safetensors format."""
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu() for name, tensor in parameters.items()}, path)


def save_plot(path: Path, weights: Tensor, history: Sequence[Epoch]) -> None:
    """Draws the weights of each digit as an image, and the losses epoch by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    images, losses = figure.subfigures(2, 1, height_ratios=(2, 1.5))
    templates = weights.detach().cpu().T.reshape(10, 28, 28)
    scale = templates.abs().max().item()
    for digit, axes in enumerate(images.subplots(2, 5).flat):
        axes.imshow(templates[digit].numpy(), cmap="RdBu_r", vmin=-scale, vmax=scale)
        axes.set_title(str(digit))
        axes.set_axis_off()
    axes = losses.subplots()
    epochs = [epoch.epoch for epoch in history]
    axes.plot(epochs, [epoch.train_loss for epoch in history], marker="o", label="train")
    axes.plot(epochs, [epoch.valid_loss for epoch in history], marker="o", label="valid")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_xticks(epochs)
    axes.legend()
    figure.savefig(path)
