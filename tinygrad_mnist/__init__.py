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

from typing import TYPE_CHECKING

from tinygrad_mnist import autograd as autograd
from tinygrad_mnist._tensor import *  # noqa: F403
from tinygrad_mnist.autograd import enable_grad as enable_grad
from tinygrad_mnist.autograd import inference_mode as inference_mode
from tinygrad_mnist.autograd import is_grad_enabled as is_grad_enabled
from tinygrad_mnist.autograd import no_grad as no_grad
from tinygrad_mnist.autograd import set_grad_enabled as set_grad_enabled
from tinygrad_mnist.dtypes import *  # noqa: F403
from tinygrad_mnist.hardware import cuda as cuda
from tinygrad_mnist.hardware.settings import get_num_threads as get_num_threads
from tinygrad_mnist.hardware.settings import set_num_threads as set_num_threads
from tinygrad_mnist.names import load_or_refuse as __getattr__  # noqa: F401
from tinygrad_mnist.names import names as __dir__  # noqa: F401
from tinygrad_mnist.ops.arithmetic import *  # noqa: F403
from tinygrad_mnist.ops.casting import *  # noqa: F403
from tinygrad_mnist.ops.choosing import *  # noqa: F403
from tinygrad_mnist.ops.elementwise import *  # noqa: F403
from tinygrad_mnist.ops.indexing import *  # noqa: F403
from tinygrad_mnist.ops.matmul import *  # noqa: F403
from tinygrad_mnist.ops.reductions import *  # noqa: F403
from tinygrad_mnist.ops.shapes import *  # noqa: F403

if TYPE_CHECKING:  # these load when first used: see names.py
    from tinygrad_mnist import linalg as linalg
    from tinygrad_mnist.ops.arranging import *  # noqa: F403
    from tinygrad_mnist.ops.convolution import *  # noqa: F403
    from tinygrad_mnist.ops.cumulative import *  # noqa: F403
    from tinygrad_mnist.ops.joining import *  # noqa: F403
    from tinygrad_mnist.ops.matrices import *  # noqa: F403
    from tinygrad_mnist.ops.pooling import *  # noqa: F403
    from tinygrad_mnist.ops.quantiles import *  # noqa: F403
    from tinygrad_mnist.ops.selecting import *  # noqa: F403
    from tinygrad_mnist.ops.softmax import *  # noqa: F403
    from tinygrad_mnist.ops.sorting import *  # noqa: F403
