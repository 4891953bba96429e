"""Functions of functions: `grad`, `vjp`, `jvp`, `jacrev`, `hessian`, `vmap`; they nest freely.

>>> from tinygrad_mnist.func import grad, vmap
>>> vmap(grad(torch.sin))(torch.zeros(3))
tensor([1., 1., 1.])
"""

from tinygrad_mnist.nn.utils.stateless import functional_call

from .batching import vmap
from .forward import hessian, jacfwd, jvp, linearize
from .modules import stack_module_state
from .reverse import grad, grad_and_value, jacrev, vjp

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "stack_module_state", "vjp", "vmap",
]  # fmt: skip
