"""Loops that generated source calls, compiled as parts of it; importing them imports Numba."""

from tinygrad_mnist.kernels import switch

switch.core.load()  # they call loops of the kernels
