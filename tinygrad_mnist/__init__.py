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

from tinygrad_mnist import autograd
from tinygrad_mnist._tensor import *  # noqa: F403
from tinygrad_mnist.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from tinygrad_mnist.dtypes import *  # noqa: F403
from tinygrad_mnist.ops.comparisons import *  # noqa: F403
