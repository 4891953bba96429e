"""PyTorch's switches for the libraries behind it: they can be asked and set, and change nothing."""

from . import cuda, cudnn, mkldnn, mps

__all__ = ["cuda", "cudnn", "mkldnn", "mps"]
