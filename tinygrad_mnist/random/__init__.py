"""`torch.random`: the numbers that PyTorch's CPU generator gives for the same seed.

`rand`, `randint`, `randperm` and their kin give PyTorch's numbers exactly; `randn` gives those of
PyTorch on processors with AVX2.
"""

from tinygrad_mnist.ops.generator import *  # noqa: F403
from tinygrad_mnist.ops.sampling import *  # noqa: F403
