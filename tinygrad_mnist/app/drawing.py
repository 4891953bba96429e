"""A trained model as a page to draw on: the model itself is in the page, and runs there.

`web/src/training/` shows what is gathered here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mnist.explainer.output.html import deflate, document
from tinygrad_mnist.serialization.files import ReadError

from .datasets import synthetic
from .logistic import CLASSES
from .report import versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tinygrad_mnist.dtypes import Array

    Data = dict[str, Any]
    """What a page is made from, as JSON knows it."""

_RELU: Data = {"kind": "relu"}


def page(name: str, parameters: Mapping[str, Array], source: str) -> str:
    """The document on which a person draws digits for a model.

    Args:
        name: of the model.
        parameters: by name, as `evaluation.load` reads them.
        source: where it is from, for people.

    >>> from tinygrad_mnist.app.models import MODELS
    >>> weights = {name: p.numpy() for name, p in MODELS["cnn"]().state_dict().items()}
    >>> len(page("cnn", weights, "drawn at random")) < 300_000
    True
    """
    title = f"Draw a digit for {source}"
    data = {
        "what": "drawing",
        "title": title,
        "source": source,
        "model": model_data(name, parameters),
        "samples": samples_of(*drawn_digits()),
        "made": versions(),
    }
    return document(title, "training", data)


def check_finite(parameters: Mapping[str, Array], path: Path) -> None:
    """Raises ReadError if a number of a model is infinite, or none: it would see nothing."""
    for name, array in parameters.items():
        if not np.isfinite(array).all():
            raise ReadError(f"{path}: its {name} holds numbers that are not finite; train it anew.")


def packed(array: Array) -> Data:
    """An array's bytes, and what is needed to read them."""
    dtype = array.dtype.newbyteorder("<")
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "packed": deflate(array.astype(dtype).tobytes()),
    }


def as_bytes(images: Array) -> Data:
    """Pixels as 0 to 255: what MNIST's were before they were divided by 256."""
    shades = np.nan_to_num(images).clip(0, 1) * 256
    return packed(np.rint(shades).clip(0, 255).astype(np.uint8))


def model_data(name: str, parameters: Mapping[str, Array]) -> Data:
    """The layers of a model in order: what each does, and its float32 weights."""

    def linear(weight: Array, bias: str) -> Data:
        return {"kind": "linear", "weight": packed(weight), "bias": packed(parameters[bias])}

    if name == "logistic":
        layers = [linear(np.ascontiguousarray(parameters["weights"].T), "bias")]
    elif name == "mlp":
        layers = []
        for key in parameters:
            layer, _, kind = key.rpartition(".")
            if kind == "weight":
                layers += [linear(parameters[key], f"{layer}.bias"), _RELU]
        del layers[-1]
    else:
        layers = []
        for number in (1, 2, 3):
            kernel = linear(parameters[f"conv{number}.weight"], f"conv{number}.bias")
            layers += [{**kernel, "kind": "conv2d", "stride": 2, "padding": 1}, _RELU]
        layers.append({"kind": "mean"})
    return {"name": name, "layers": layers}


def drawn_digits() -> tuple[Array, Array]:
    """Digits that the program draws, of which there are enough to have each."""
    images, labels = synthetic.draw(100)
    return images.reshape(-1, 784).astype(np.float32) / 256, labels


def samples_of(images: Array, labels: Array) -> Data:
    """The first image of each digit that there is, for those who cannot draw."""
    firsts = [int(np.argmax(labels == digit)) for digit in range(CLASSES) if digit in labels]
    return {"labels": labels[firsts].tolist(), "pixels": as_bytes(images[firsts])}
