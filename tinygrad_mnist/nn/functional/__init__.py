"""The functions of networks, without state: `import tinygrad_mnist.nn.functional as F`."""

from typing import Any

from tinygrad_mnist.absent import absent
from tinygrad_mnist.ops.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
)
from tinygrad_mnist.ops.convolution import conv1d, conv2d
from tinygrad_mnist.ops.exponential import sigmoid, tanh
from tinygrad_mnist.ops.padding import pad
from tinygrad_mnist.ops.pooling import avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from tinygrad_mnist.ops.transposed_convolution import conv_transpose1d, conv_transpose2d

from . import (
    activations,
    adaptive_pooling,
    affine,
    attention,
    by_channel,
    classification,
    distances,
    dropping,
    images,
    in_place,
    likelihoods,
    lookup,
    losses,
    margins,
    norm_pooling,
    normalization,
    probabilities,
    windows,
)
from .activations import *  # noqa: F403
from .adaptive_pooling import *  # noqa: F403
from .affine import *  # noqa: F403
from .attention import *  # noqa: F403
from .by_channel import *  # noqa: F403
from .classification import *  # noqa: F403
from .distances import *  # noqa: F403
from .dropping import *  # noqa: F403
from .images import *  # noqa: F403
from .in_place import *  # noqa: F403
from .likelihoods import *  # noqa: F403
from .lookup import *  # noqa: F403
from .losses import *  # noqa: F403
from .margins import *  # noqa: F403
from .norm_pooling import *  # noqa: F403
from .normalization import *  # noqa: F403
from .probabilities import *  # noqa: F403
from .windows import *  # noqa: F403

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "max_pool1d",
    "max_pool2d",
    "pad",
    "sigmoid",
    "tanh",
    *activations.__all__,
    *adaptive_pooling.__all__,
    *affine.__all__,
    *attention.__all__,
    *by_channel.__all__,
    *classification.__all__,
    *distances.__all__,
    *dropping.__all__,
    *images.__all__,
    *in_place.__all__,
    *likelihoods.__all__,
    *lookup.__all__,
    *losses.__all__,
    *margins.__all__,
    *norm_pooling.__all__,
    *normalization.__all__,
    *probabilities.__all__,
    *windows.__all__,
]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    raise absent(f"nn.functional.{name}")
