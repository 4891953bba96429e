"""`import torch` answered by tinygrad_mnist, in a process that was started for it.

Each module of PyTorch that a script imports is an `Answer`: a module under PyTorch's name whose
attributes are tinygrad_mnist's. What is not there fails with its dotted name and, where one is
known, the way round.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import tinygrad_mnist
from tinygrad_mnist.names import NAMES, Unsupported, unsupported

__all__ = ["VERSION", "UnsupportedModule", "answer_torch_imports"]

VERSION = "2.13.0+tinygrad_mnist"
"""`torch.__version__`: the version of PyTorch whose interface this is, and the engine's name."""

_ROOMS = frozenset(
    ("accelerator", "amp", "autograd", "backends", "cuda", "linalg", "mps", "nn", "optim", "random",
     "serialization", "utils", "version", "xpu")
)  # fmt: skip
"""Modules that PyTorch has too, by the same name; others are this package's own affair."""

_BUILT_ON_TORCH = {
    "torchvision": "tinygrad_mnist.app.datasets reads MNIST, and Pillow reads images",
    "torchaudio": "Python's wave module reads sound files",
    "torchtext": "Python reads and splits text",
    "torchmetrics": "accuracy is (prediction.argmax(1) == target).float().mean()",
    "torchinfo": "print(model) shows the layers",
    "torchsummary": "print(model) shows the layers",
    "pytorch_lightning": "write the training loop out",
    "lightning": "write the training loop out",
    "tensorboard": "print, or plot with matplotlib",
}
"""Packages that need PyTorch itself, and what does instead."""

_ELSEWHERE = {"safetensors.torch": "tinygrad_mnist.serialization.safetensors"}
"""Modules of other packages that work on PyTorch's tensors, and their likes here."""


class UnsupportedModule(ImportError):
    """A module that a script imports and that cannot be there; the message says why.

    (No ModuleNotFoundError: `from torch import fft` would swallow that, and its message.)
    """


class Answer(ModuleType):
    """A module of PyTorch's name that takes its attributes from one of tinygrad_mnist."""

    def __init__(self, name: str, ours: ModuleType) -> None:
        super().__init__(name, ours.__doc__)
        self.__dict__["_ours"] = ours

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return getattr(self._ours, name, dir(self))
        if name.startswith("__"):
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'", name=name)
        dotted = f"{self.__name__}.{name}"
        try:
            found = getattr(self._ours, name)
        except AttributeError:
            raise _unsupported(dotted) from None
        if isinstance(found, ModuleType):
            if not _is_answered(dotted):
                raise _unsupported(dotted)
            found = importlib.import_module(dotted)
        self.__dict__[name] = found
        return found

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._ours) if not name.startswith("_")]


def _unsupported(dotted: str) -> Unsupported:
    return unsupported(dotted.removeprefix("torch."))


def _is_answered(dotted: str) -> bool:
    """Whether PyTorch's module "torch.nn.functional" has its like here."""
    _, *rest = dotted.split(".")
    if rest and (rest[0] not in _ROOMS or any(part.startswith("_") for part in rest)):
        return False
    name = _our_name(dotted)
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _our_name(dotted: str) -> str:
    return _ELSEWHERE.get(dotted, "tinygrad_mnist" + dotted.removeprefix("torch"))


class TorchFinder(MetaPathFinder, Loader):
    """Finds `torch` and all below it in tinygrad_mnist, and refuses what needs PyTorch itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where `fullname` comes from, if it is this finder's affair.

        Raises UnsupportedModule for what nobody can find here.
        """
        first = fullname.partition(".")[0]
        if first in _BUILT_ON_TORCH:
            raise UnsupportedModule(
                f"{first} needs PyTorch itself, which is not run here: {_BUILT_ON_TORCH[first]}",
                name=fullname,
            )
        if fullname not in _ELSEWHERE:
            if first != "torch":
                return None
            if not _is_answered(fullname):
                raise UnsupportedModule(str(_unsupported(fullname)), name=fullname)
        ours = importlib.import_module(_our_name(fullname))
        origin = getattr(ours, "__file__", None)
        spec = ModuleSpec(fullname, self, origin=origin, is_package=True)
        spec.has_location = origin is not None
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module under PyTorch's name."""
        return Answer(spec.name, importlib.import_module(_our_name(spec.name)))

    def exec_module(self, module: ModuleType) -> None:
        """Next to nothing: what the module has is looked up when it is asked for."""
        if module.__name__ == "torch":
            module.__dict__["__version__"] = VERSION
        elif module.__name__ == "torch.nn":
            module.Parameter.__module__ = "torch.nn.parameter"


def answer_torch_imports() -> None:
    """From now on `import torch`, in this process, gives tinygrad_mnist.

    The classes at its top level say that they are torch's, so that `print(type(x))` does too.
    """
    if any(isinstance(finder, TorchFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, TorchFinder())
    for name, place in NAMES.items():
        light = place.startswith(("_tensor", "autograd", "dtypes", "engine"))
        value = getattr(tinygrad_mnist, name) if light else None
        if inspect.isclass(value) and value.__module__.startswith("tinygrad_mnist"):
            value.__module__ = "torch"
