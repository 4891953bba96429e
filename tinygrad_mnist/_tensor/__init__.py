"""The Tensor class: operators, methods, printing, creation, each in a file of its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinygrad_mnist.engine.tensor import Tensor as Tensor
else:
    from .tensor_class import Tensor as Tensor
