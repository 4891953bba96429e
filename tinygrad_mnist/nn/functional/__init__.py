"""The functions of networks, without state: `import tinygrad_mnist.nn.functional as F`."""

from typing import Any

from tinygrad_mnist.absent import absent
from tinygrad_mnist.ops.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from tinygrad_mnist.ops.exponential import sigmoid, tanh
from tinygrad_mnist.ops.padding import pad
from tinygrad_mnist.ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)

from . import activations, classification, dropping, lookup, losses, normalization
from .activations import *  # noqa: F403
from .affine import linear
from .classification import *  # noqa: F403
from .dropping import *  # noqa: F403
from .lookup import *  # noqa: F403
from .losses import *  # noqa: F403
from .normalization import *  # noqa: F403

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "linear",
    "max_pool1d",
    "max_pool2d",
    "pad",
    "sigmoid",
    "tanh",
    *activations.__all__,
    *classification.__all__,
    *dropping.__all__,
    *lookup.__all__,
    *losses.__all__,
    *normalization.__all__,
]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    raise absent(f"nn.functional.{name}")
