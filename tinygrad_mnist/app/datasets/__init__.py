"""Data sets: MNIST, and digits that the program draws itself.

>>> from tinygrad_mnist.app.datasets import synthetic
>>> images, labels = synthetic.draw(2)
>>> images.shape
(2, 28, 28)
"""

from . import mnist, synthetic
from .digits import DataError, Digits, SyntheticDataWarning

__all__ = ["DataError", "Digits", "SyntheticDataWarning", "mnist", "synthetic"]
