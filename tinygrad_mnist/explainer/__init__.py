"""Seeing autograd: a backward pass as data, as a page, and in words.

Its public name is `tinygrad_mnist.explain`.
"""
