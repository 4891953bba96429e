"""Frameworks in which gradients are tested: this engine, PyTorch, JAX, NumPy, and others."""

from .framework import Framework, Pull, Unsupported, leaves
from .registry import GROUP, find, known, of_function, of_value

__all__ = ["GROUP", "Framework", "Pull", "Unsupported", "find", "known", "leaves", "of_function",
           "of_value"]  # fmt: skip
