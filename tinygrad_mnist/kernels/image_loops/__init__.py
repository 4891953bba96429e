"""The compiled twins of what is done to images; only programs that need them compile them.

Each fills arrays that its caller made, of shapes that its caller vouches for.
"""

from ..loops.compile import cached
from .batch_last import (
    convolve,
    convolve_input,
    convolve_weight,
    lay_out,
    lay_out_given,
)
from .convolution import conv2d, conv2d_input, conv2d_weight
from .pooling import pick, place_of_max, put_back, window_spread, window_sum

__all__ = [
    "cached",
    "conv2d",
    "conv2d_input",
    "conv2d_weight",
    "convolve",
    "convolve_input",
    "convolve_weight",
    "lay_out",
    "lay_out_given",
    "pick",
    "place_of_max",
    "put_back",
    "window_spread",
    "window_sum",
]
