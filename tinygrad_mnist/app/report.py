"""What a training run leaves behind: settings and results as JSON, parameters, a picture.

Each function gives the bytes of a file; `files.write` puts them in place.
"""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mnist.hardware.settings import get_num_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinygrad_mnist.dtypes import Array

    from .logistic import Epoch

PICTURES = (".png", ".svg", ".pdf")


def as_json(settings: Mapping[str, object], data: str, history: Sequence[Epoch]) -> bytes:
    """Settings by name, the data used, each epoch's results, and the versions that gave them.

    A loss that is not a number, or infinite, is null: JSON has no such numbers.
    """
    report = {
        **settings,
        "device": "cpu",
        "threads": get_num_threads(),
        "data": data,
        "history": [finite(asdict(epoch)) for epoch in history],
        "versions": versions(),
    }
    return (json.dumps(report, indent=2, allow_nan=False) + "\n").encode()


def versions() -> dict[str, str]:
    """The versions of Python, of this package and of what computes for it."""
    return {
        "tinygrad_mnist": _version("tinygrad_mnist"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": _version("numba"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def finite(results: dict[str, Any]) -> dict[str, Any]:
    """The results, None for those that are infinite or no number: JSON has no such numbers."""
    return {name: value if math.isfinite(value) else None for name, value in results.items()}


def as_safetensors(parameters: Mapping[str, Array], model: str) -> bytes:
    """The parameters by name in the safetensors format, and the model's name as metadata."""
    from safetensors.numpy import save

    return save(dict(parameters), {"model": model})


def images_of(parameters: Mapping[str, Array], filters: int = 10) -> dict[str, Array]:
    """Images of a model's first weights, by title: ten digits or hidden units, or the filters."""
    if "weights" in parameters:
        kind, images = "", parameters["weights"].T.reshape(10, 28, 28)
    elif "hidden.weight" in parameters:
        kind, images = "unit ", parameters["hidden.weight"][:10].reshape(10, 28, 28)
    else:
        kind, images = "filter ", parameters["conv1.weight"][:filters, 0]
    return {f"{kind}{number}": image for number, image in enumerate(images)}


def as_picture(
    images: Mapping[str, Array],
    losses: Sequence[tuple[float, float]],
    history: Sequence[Epoch],
    suffix: str,
) -> bytes:
    """Weights as images, above the loss of the batches and of the epochs.

    Args:
        images: ten of them, by title.
        losses: how many epochs had passed, and the loss of the batch then.
        history: the epochs that were completed.
        suffix: the kind of picture, one of `PICTURES`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    panels: Any = figure.subfigures(2, 1, height_ratios=(3, 2))
    upper, curve = panels
    shown = {title: np.ma.masked_invalid(image) for title, image in images.items()}
    scale = max(np.abs(image.compressed()).max(initial=0) for image in shown.values()) or 1.0
    for (title, image), axes in zip(shown.items(), upper.subplots(2, 5).flat, strict=True):
        axes.imshow(image, cmap="RdBu_r", vmin=-scale, vmax=scale)
        axes.set_title(title)
        axes.set_axis_off()
    _draw_losses(curve.subplots(), losses, history)
    return bytes_of(figure, suffix)


def bytes_of(figure: Any, suffix: str) -> bytes:
    """The file of a figure, of the kind that its name's suffix says."""
    buffer = BytesIO()
    figure.savefig(buffer, format=suffix.removeprefix("."))
    return buffer.getvalue()


def _draw_losses(
    axes: Any, losses: Sequence[tuple[float, float]], history: Sequence[Epoch]
) -> None:
    passed = [epoch.epoch for epoch in history]
    if losses:
        axes.plot(*zip(*losses, strict=True), color="0.8", linewidth=0.8, label="batch")
    for name in ("train", "valid"):
        values = [getattr(epoch, f"{name}_loss") for epoch in history]
        axes.plot(passed, values, marker="o", label=name)
    axes.set_xlabel("epochs")
    axes.set_ylabel("loss")
    axes.set_yscale("log")
    axes.legend(loc="upper center", ncols=3)
