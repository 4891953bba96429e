"""The functions of networks, without state: `import tinygrad_mnist.nn.functional as F`."""

from tinygrad_mnist.ops.exponential import sigmoid, tanh
from tinygrad_mnist.ops.softmax import cross_entropy, nll_loss

from . import activations, dropping, lookup, losses, normalization
from .activations import *  # noqa: F403
from .affine import linear
from .dropping import *  # noqa: F403
from .lookup import *  # noqa: F403
from .losses import *  # noqa: F403
from .normalization import *  # noqa: F403

__all__ = [
    "cross_entropy",
    "linear",
    "nll_loss",
    "sigmoid",
    "tanh",
    *activations.__all__,
    *dropping.__all__,
    *lookup.__all__,
    *losses.__all__,
    *normalization.__all__,
]
