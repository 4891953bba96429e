"""The generated source run as plain Python, so that most tests wait for no compiler."""

import math

import numpy as np
import pytest

from tinygrad_mnist.compiler import build, images, pooling, products


@pytest.fixture
def plain(monkeypatch):
    """Generated functions run as Python."""

    def load(text):
        names = {"math": math, "np": np, "images": images, "pooling": pooling,
                 "products": products}  # fmt: skip
        exec(text, names)
        return names["step"]

    monkeypatch.setattr(build, "load", load)
