"""Loops that generated source calls, compiled as parts of it; importing them imports Numba."""

from tinygrad_mnist.kernels import dispatch

dispatch.prepare()  # they call loops of the kernels
