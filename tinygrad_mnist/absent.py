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
    "nn.RNN": "write the recurrence as a loop over nn.Linear",
    "nn.LSTM": "write the recurrence as a loop over nn.Linear",
    "nn.GRU": "write the recurrence as a loop over nn.Linear",
    "nn.MultiheadAttention": "use nn.Linear and nn.functional.scaled_dot_product_attention",
    "nn.Transformer": "build it of nn.Linear and nn.functional.scaled_dot_product_attention",
    "nn.TransformerEncoderLayer": "use nn.Linear and nn.functional.scaled_dot_product_attention",
    "nn.DataParallel": "train in one process",
    "nn.parallel": "train in one process",
    "optim.LBFGS": "use torch.optim.Adam or SGD",
    "distributions": "draw with torch.randn, torch.rand or torch.multinomial",
    "multiprocessing": "use Python's multiprocessing",
    "profiler": "measure with time.perf_counter, or with Python's cProfile",
    "autograd.profiler": "measure with time.perf_counter, or with Python's cProfile",
    "utils.benchmark": "measure with Python's timeit",
    "utils.checkpoint": "call the function itself; it keeps what backward needs",
    "utils.tensorboard": "print, or plot with matplotlib",
    "quantization": "compute in torch.float32",
    "sparse_coo_tensor": "use dense tensors",
    "sparse_csr_tensor": "use dense tensors",
    "serialization": "files hold tensors and plain containers alone; save a state_dict()",
    "set_default_tensor_type": "use torch.set_default_dtype",
    "cuda": "there is no GPU here; ask torch.cuda.is_available() first",
    "mps": "there is no GPU here; ask torch.backends.mps.is_available() first",
    "xpu": "there is no GPU here; ask torch.accelerator.is_available() first",
}
"""What to use instead of a name, and of all names below it."""


def absent(name: str) -> Absent:
    """The error for a name that the package does not have."""
    parts = name.split(".")
    above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    way = next((_INSTEAD[known] for known in above if known in _INSTEAD), None)
    if way is None:
        return Absent(
            f"torch.{name} is not part of tinygrad_mnist; docs/differences.md lists what is"
        )
    return Absent(f"torch.{name} is not supported by tinygrad_mnist: {way}")
