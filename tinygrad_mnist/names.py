"""Public names: those that are refused, those that moved, those that load when first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Unsupported(NotImplementedError, AttributeError):
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


def unsupported(name: str) -> Unsupported:
    """The error for a name that the package does not have."""
    parts = name.split(".")
    above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    way = next((_INSTEAD[known] for known in above if known in _INSTEAD), None)
    if way is None:
        return Unsupported(
            f"torch.{name} is not part of tinygrad_mnist; docs/differences.md lists what is"
        )
    return Unsupported(f"torch.{name} is not supported by tinygrad_mnist: {way}")


# Loaded when first used, so that the package imports fast: operations, packages

_PACKAGES = (
    "_dynamo", "accelerator", "amp", "backends", "compiler", "datasets", "linalg", "nn", "optim",
    "random", "safetensors", "serialization", "testing", "utils", "version",
)  # fmt: skip
MOVED = {
    "_dynamo": "compiler",
    "accelerator": "hardware.accelerator",
    "amp": "hardware.amp",
    "backends": "hardware.backends",
    "comparing": "tools.compare",
    "cuda.amp": "hardware.cuda_amp",
    "cuda": "hardware.cuda",
    "datasets": "app.datasets",
    "safetensors": "serialization.safetensors",
    "scripts": "tools.scripts",
    "testing.parity": "tools.parity.parity",
    "testing.strategies": "tools.parity.strategies",
    "version": "hardware.version",
}
"""Public modules that live in another room than their name says, below the package's name."""

_RANDOM = (
    "Generator", "bernoulli", "default_generator", "get_rng_state", "initial_seed", "manual_seed",
    "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "seed", "set_rng_state",
)  # fmt: skip
_FILLING = (
    "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_",
    "uniform_",
)  # fmt: skip

_NETWORKS = (
    "bilinear", "celu", "celu_", "channel_shuffle", "cosine_similarity", "hardshrink",
    "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "prelu", "relu_", "rms_norm",
    "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_",
)  # fmt: skip
"""Functions of `nn.functional` that PyTorch has at its top level too, with the same arguments."""

FILES: dict[str, tuple[str, ...]] = {
    "arranging": (
        "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "fill", "flip", "fliplr",
        "flipud", "index_put", "meshgrid", "narrow_copy", "ravel", "repeat_interleave", "roll",
        "rot90", "select_scatter", "slice_scatter", "tile", "trace", "tril", "tril_indices", "triu",
        "triu_indices",
    ),
    "convolution": ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"),
    "cumulative": (
        "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff",
        "logcumsumexp", "prod", "trapezoid", "trapz",
    ),
    "joining": (
        "atleast_1d", "atleast_2d", "atleast_3d", "cat", "chunk", "column_stack", "concat",
        "concatenate", "dsplit", "dstack", "hsplit", "hstack", "row_stack", "split",
        "split_with_sizes", "stack", "tensor_split", "vsplit", "vstack",
    ),
    "matrices": (
        "addbmm", "addmm", "addmv", "addr", "baddbmm", "block_diag", "cartesian_prod", "cdist",
        "chain_matmul", "combinations", "cross", "dist", "einsum", "ger", "inner", "kron", "norm",
        "outer", "renorm", "tensordot", "vander", "vdot",
    ),
    "pooling": (
        "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d", "max_pool2d",
    ),
    "quantiles": (
        "bucketize", "corrcoef", "cov", "histc", "nanmean", "nanmedian", "nanquantile", "quantile",
        "searchsorted",
    ),
    "selecting": (
        "argwhere", "gather", "index_add", "index_copy", "index_fill", "index_select",
        "masked_scatter", "masked_select", "nonzero", "scatter", "scatter_add", "take",
        "take_along_dim",
    ),
    "softmax": ("log_softmax", "relu", "softmax"),
    "sorting": (
        "argsort", "kthvalue", "median", "mode", "msort", "sort", "topk", "unique",
        "unique_consecutive",
    ),
}  # fmt: skip
"""For each file that loads later, the functions in it."""

_BY_ROOM = {
    "amp": ("autocast",),
    "compiler": ("compile",),
    "nn.functional": _NETWORKS,
    "random": _RANDOM,
    "serialization": ("load", "save"),
    "hardware.settings": (
        "are_deterministic_algorithms_enabled", "get_float32_matmul_precision",
        "get_num_interop_threads", "set_float32_matmul_precision", "set_num_interop_threads",
        "use_deterministic_algorithms",
    ),
}  # fmt: skip
_ELSEWHERE = {name: room for room, names in _BY_ROOM.items() for name in names}
"""The module of each name that is no operation of `ops`."""

FUNCTIONS_ONLY = frozenset((
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "atleast_1d", "atleast_2d", "atleast_3d",
    "avg_pool1d", "block_diag", "bucketize", "cartesian_prod", "cat", "cdist",
    "chain_matmul", "column_stack", "combinations", "concat", "concatenate", "conv1d",
    "conv2d", "conv_transpose1d", "conv_transpose2d", "cumulative_trapezoid", "dstack",
    "einsum", "fill", "hstack", "max_pool1d", "max_pool2d", "meshgrid", "row_stack",
    "searchsorted", "stack", "tensordot", "trapezoid", "trapz", "tril_indices", "triu_indices",
    "vander", "vstack",
))  # fmt: skip
"""Those that are no methods of a tensor."""

METHODS_ONLY = {"repeat": "arranging"} | dict.fromkeys(_FILLING, "drawing")
"""Methods that are no functions of the package, and their files."""

FUNCTIONS = {name: file for file, names in FILES.items() for name in names}
"""The file of each function."""

METHODS = METHODS_ONLY | {n: file for n, file in FUNCTIONS.items() if n not in FUNCTIONS_ONLY}
"""The file of each operation that is a method too."""


def operation(name: str) -> Any:
    """The operation called `name`, from its file in `ops`."""
    file = FUNCTIONS.get(name) or METHODS_ONLY[name]
    return getattr(importlib.import_module(f"tinygrad_mnist.ops.{file}"), name)


def load_or_refuse(name: str) -> Any:
    """The package's `__getattr__`: what is loaded when first asked for, or the error."""
    if name in _PACKAGES:
        return importlib.import_module(f"tinygrad_mnist.{name}")
    if name in _ELSEWHERE:
        found = getattr(importlib.import_module(f"tinygrad_mnist.{_ELSEWHERE[name]}"), name)
    elif name in FUNCTIONS:
        found = operation(name)
    elif name == "__all__":
        return names()
    elif name.startswith("__"):
        raise AttributeError(f"module 'tinygrad_mnist' has no attribute '{name}'")
    else:
        raise unsupported(name)
    setattr(sys.modules["tinygrad_mnist"], name, found)
    return found


def names() -> list[str]:
    """The package's `__dir__`: what is there, and what is loaded when first asked for."""
    later = (*_PACKAGES, *_ELSEWHERE, *FUNCTIONS)
    return sorted({*vars(sys.modules["tinygrad_mnist"]), *later})


class MovedModules:
    """Finds the modules of `MOVED`, and those below them, where they live.

    It is asked first: else `datasets.mnist` would be loaded again, from the folder of `datasets`.

    >>> import tinygrad_mnist.backends.cudnn
    >>> tinygrad_mnist.backends.cudnn.__name__
    'tinygrad_mnist.hardware.backends.cudnn'
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification of a module that moved, None for any other."""
        package, _, name = fullname.partition(".")
        if package != "tinygrad_mnist":
            return None
        for old, new in MOVED.items():
            if name == old or name.startswith(old + "."):
                return ModuleSpec(fullname, self, origin=f"{package}.{new}{name[len(old) :]}")  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself, from where it lives."""
        assert spec.origin is not None
        module = importlib.import_module(spec.origin)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing but to give the module back what it says of itself: it is loaded already."""
        spec = module.__spec__
        assert spec is not None
        module.__spec__ = spec.loader_state


sys.meta_path.insert(0, MovedModules())
