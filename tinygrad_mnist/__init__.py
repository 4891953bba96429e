"""A minimal tensor engine with automatic differentiation, laid out like torch.

>>> import tinygrad_mnist as torch
>>> x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x * x).sum()
>>> y
tensor(14., grad_fn=<SumBackward0>)
>>> y.backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from tinygrad_mnist import names
from tinygrad_mnist._tensor import Tensor as Tensor

__getattr__, __dir__ = names.lazily(__name__, names.NAMES, names.MODULES)
