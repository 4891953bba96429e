"""Names that are not there yet: packages loaded when first asked for, and what is absent.

For what PyTorch has and this engine has not, the error tells what to use instead.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_PACKAGES = ("datasets", "nn", "optim", "random", "testing", "utils")
_RANDOM = (
    "Generator", "bernoulli", "default_generator", "get_rng_state", "initial_seed", "manual_seed",
    "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "seed", "set_rng_state",
)  # fmt: skip
FILLING_METHODS = (
    "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_",
    "uniform_",
)  # fmt: skip


class Absent(NotImplementedError, AttributeError):
    """A name of PyTorch that is not carried; an AttributeError too, so that hasattr says no."""


_INSTEAD = {
    "float16": "use torch.float32",
    "half": "use torch.float32",
    "bfloat16": "use torch.float32",
    "int8": "use torch.int32",
    "char": "use torch.int32",
    "int16": "use torch.int32",
    "short": "use torch.int32",
    "complex64": "keep real and imaginary parts as two real tensors",
    "complex128": "keep real and imaginary parts as two real tensors",
    "cfloat": "keep real and imaginary parts as two real tensors",
    "cdouble": "keep real and imaginary parts as two real tensors",
    "complex": "keep real and imaginary parts as two real tensors",
    "sparse": "use dense tensors",
    "jit": "use tinygrad_mnist.compile where speed matters",
    "fft": "use numpy.fft on tensor.numpy()",
    "distributed": "train in one process",
    "hub": "build the model in code and load its weights",
    "onnx": "keep weights with safetensors",
    "vmap": "write the batch dimension out, or loop",
    "func": "use torch.autograd.grad",
}


def absent(name: str) -> Absent:
    """The error for a name that the package does not have."""
    way = _INSTEAD.get(name)
    if way is None:
        return Absent(
            f"torch.{name} is not part of tinygrad_mnist; docs/differences.md lists what is"
        )
    return Absent(f"torch.{name} is not supported by tinygrad_mnist: {way}")


def load_or_refuse(name: str) -> Any:
    """The package's `__getattr__`: what is loaded when first asked for, or the error."""
    if name in _PACKAGES:
        return importlib.import_module(f"tinygrad_mnist.{name}")
    if name in _RANDOM:
        return getattr(importlib.import_module("tinygrad_mnist.random"), name)
    if name.startswith("__"):
        raise AttributeError(f"module 'tinygrad_mnist' has no attribute '{name}'")
    raise absent(name)


def names() -> list[str]:
    """The package's `__dir__`: what is there, and what is loaded when first asked for."""
    return sorted({*vars(sys.modules["tinygrad_mnist"]), *_PACKAGES, *_RANDOM})


def filling_method(name: str) -> Any:
    """A tensor's method that fills it by chance; the first call loads the real one.

    (A `__getattr__` of the Tensor class would do as well, but make every attribute slower.)
    """

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        importlib.import_module("tinygrad_mnist.random")
        return getattr(self, name)(*arguments, **named)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = "Filled with random numbers: see tinygrad_mnist.random."
    return method
