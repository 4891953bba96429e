"""The functions of networks, without state: `import tinygrad_mnist.nn.functional as F`."""

from typing import Any

from tinygrad_mnist.names import unsupported
from tinygrad_mnist.ops.arranging import pad
from tinygrad_mnist.ops.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from tinygrad_mnist.ops.elementwise import sigmoid, tanh
from tinygrad_mnist.ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)

from . import activations, images, linear_maps, losses, margin_losses, normalization
from .activations import *  # noqa: F403
from .images import *  # noqa: F403
from .linear_maps import *  # noqa: F403
from .losses import *  # noqa: F403
from .margin_losses import *  # noqa: F403
from .normalization import *  # noqa: F403

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool1d",
    "avg_pool2d", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "max_pool1d",
    "max_pool2d", "pad", "sigmoid", "tanh",
    *activations.__all__, *images.__all__, *linear_maps.__all__, *losses.__all__,
    *margin_losses.__all__, *normalization.__all__,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    raise unsupported(f"nn.functional.{name}")
