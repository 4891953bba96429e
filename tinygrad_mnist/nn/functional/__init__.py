"""The functions of networks, without state: `import tinygrad_mnist.nn.functional as F`."""

from tinygrad_mnist.ops.softmax import cross_entropy, nll_loss

from .affine import linear

__all__ = [
    "cross_entropy",
    "linear",
    "nll_loss",
]
