"""Data sets: MNIST, and digits that the program draws itself.

>>> from tinygrad_mnist.datasets import synthetic
>>> images, labels = synthetic.draw(2)
>>> images.shape
(2, 28, 28)
"""

from tinygrad_mnist.datasets import mnist, synthetic
from tinygrad_mnist.datasets.digits import Digits
from tinygrad_mnist.datasets.errors import DataError, SyntheticDataWarning

__all__ = ["DataError", "Digits", "SyntheticDataWarning", "mnist", "synthetic"]
