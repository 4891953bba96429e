"""What PyTorch has and this engine has not: the error tells what to use instead."""

from __future__ import annotations


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
