"""`import torch` answered by tinygrad_mnist, in a process that was started for it.

Each module of PyTorch that a script imports is an `Answer`: a module under PyTorch's name whose
attributes are tinygrad_mnist's. What is not there fails with its dotted name and, where one is
known, the way round.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import tinygrad_mnist
from tinygrad_mnist.engine.device import reading
from tinygrad_mnist.names import MODULE_ALIASES, NAMES, Unsupported, unsupported

__all__ = ["DEVICE", "VERSION", "UnsupportedModule", "answer_torch_imports",
           "answer_torchvision_imports", "unanswered"]  # fmt: skip

VERSION = "2.13.0+tinygrad_mnist"
"""`torch.__version__`: the version of PyTorch whose interface this is, and the engine's name."""

DEVICE = "TINYGRAD_MNIST_DEVICE"
"""The environment variable that makes "cuda" the CPU, if it is "cpu"."""

_ROOMS = frozenset(
    ("_C", "_dynamo", "accelerator",
     "amp", "autograd", "backends", "compiler", "cuda", "distributed",
     "distributions", "func", "hub", "jit", "linalg", "mps", "multiprocessing", "nn", "onnx",
     "optim", "profiler", "random", "serialization", "special", "testing", "utils", "version",
     "xpu")
)  # fmt: skip
"""Modules that PyTorch has too, by the same name; others are this package's own affair."""

_BUILT_ON_TORCH = {
    "torchaudio": "Python's wave module reads sound files",
    "torchtext": "Python reads and splits text",
    "torchmetrics": "accuracy is (prediction.argmax(1) == target).float().mean()",
    "torchinfo": "print(model) shows the layers",
    "torchsummary": "print(model) shows the layers",
    "pytorch_lightning": "write the training loop out",
    "lightning": "write the training loop out",
}
"""Packages that need PyTorch itself, and what does instead."""

_WORK_HERE = ("torchinfo", "torchmetrics")
"""Those among them that work on this engine where they are installed."""

_ELSEWHERE = {
    "safetensors.torch": "tinygrad_mnist.serialization.safetensors",
    "torch.autograd.gradcheck": "tinygrad_mnist.autograd.finite_differences",
}
"""Modules of other packages that work on PyTorch's tensors, and their likes here."""


_VISION = Path(__file__).resolve().parents[1] / "vision"
"""The folder that is read under the name `torchvision`."""

_INSTALLED = ("site-packages", "dist-packages")
"""Folders of what pip installs."""


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
            return [each for each in dir(self) if self._has(each)]
        if name.startswith("__"):
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'", name=name)
        dotted = f"{self.__name__}.{name}"
        try:
            found = getattr(self._ours, name)
        except AttributeError:
            if dotted.partition(".")[2] not in MODULE_ALIASES:
                raise _unsupported(dotted) from None
            found = importlib.import_module(dotted)
        if isinstance(found, ModuleType):
            if not _is_answered(dotted):
                raise _unsupported(dotted)
            found = importlib.import_module(dotted)
        if type(found) is not int:  # as `forward_ad._current_level`, which changes
            self.__dict__[name] = found
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function by the module's name: `torch.autograd.gradcheck` is both."""
        return getattr(self._ours, self.__name__.rpartition(".")[2])(*args, **kwargs)

    def __dir__(self) -> list[str]:
        names = getattr(self._ours, "__all__", None) or dir(self._ours)
        return [name for name in names if not name.startswith("_")]

    def _has(self, name: str) -> bool:
        """Whether a name is there, and no module that PyTorch does not have in this place."""
        found = getattr(self._ours, name, None)
        if isinstance(found, ModuleType):
            return _is_answered(f"{self.__name__}.{name}")
        return found is not None


def _unsupported(dotted: str) -> Unsupported:
    return unsupported(dotted.removeprefix("torch."))


def _is_answered(dotted: str) -> bool:
    """Whether PyTorch's module "torch.nn.functional" has its like here."""
    _, *rest = dotted.split(".")
    if rest and (rest[0] not in _ROOMS or any(part.startswith("_") for part in rest[1:])):
        return False
    name = _our_name(dotted)
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _our_name(dotted: str) -> str:
    return _ELSEWHERE.get(dotted, "tinygrad_mnist" + dotted.removeprefix("torch"))


def _only_asked() -> bool:
    """Whether it is `importlib.util.find_spec` that looks for a module, not an import."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "_find_spec":
        frame = frame.f_back
    caller = frame and frame.f_back
    return caller is not None and caller.f_code.co_name == "find_spec"


def _others_spec(package: str, asking: MetaPathFinder) -> ModuleSpec | None:
    """Where a package is, as the other finders know it."""
    if package in sys.modules:
        return sys.modules[package].__spec__
    others = [finder for finder in sys.meta_path if finder is not asking]
    specs = (finder.find_spec(package, None, None) for finder in others)
    return next((found for found in specs if found is not None), None)


def _is_own(package: str, asking: MetaPathFinder) -> bool:
    """Whether a package is no installed one: beside the script, or on PYTHONPATH."""
    spec = _others_spec(package, asking)
    if spec is None:
        return package in sys.modules
    places = spec.submodule_search_locations or [spec.origin or ""]
    if str(_VISION) in places or list(Path(places[0]).parent.glob(f"{package}-*.dist-info")):
        return False
    return not any(name in place for place in places for name in _INSTALLED)


class TorchFinder(MetaPathFinder, Loader):
    """Finds `torch` and all below it in tinygrad_mnist, and refuses what needs PyTorch itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where `fullname` comes from, if it is this finder's affair.

        What PyTorch does not hold itself may be the person's own, which is theirs then.
        Raises UnsupportedModule for what nobody can find here.
        """
        first = fullname.partition(".")[0]
        reason = None
        if first == "torchvision":
            return None if fullname == first and _is_own(first, self) else _vision_spec(fullname)
        if first in _BUILT_ON_TORCH:
            way = _BUILT_ON_TORCH[first]
            reason = f"{first} needs PyTorch itself, which is not run here: {way}"
            if first in _WORK_HERE:
                if _others_spec(first, self) is not None:
                    return None
                reason = f"{first} is not installed: pip install {first}, or {way}"
        elif first == "torch" and not _is_answered(fullname):
            reason = str(_unsupported(fullname))
        elif first != "torch" and fullname not in _ELSEWHERE:
            return None
        if first != "torch" and _is_own(first, self):
            return None
        if reason is not None:
            if _only_asked():
                return None
            raise UnsupportedModule(reason, name=fullname)
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


class VisionFinder(MetaPathFinder, Loader):
    """Finds `torchvision` beside PyTorch: the installed one where it works, else this package's."""

    _installed: ModuleSpec

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where `torchvision` comes from."""
        if fullname != "torchvision" or _is_own(fullname, self):
            return _vision_spec(fullname)
        installed = PathFinder.find_spec(fullname)
        if installed is None or installed.loader is None:
            return _vision_spec(fullname)
        self._installed = installed
        spec = ModuleSpec(fullname, self, origin=installed.origin, is_package=True)
        spec.submodule_search_locations = installed.submodule_search_locations
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the installed package; where it fails, this package's in its place."""
        assert self._installed.loader is not None
        try:
            self._installed.loader.exec_module(module)
        except Exception as error:
            sys.stderr.write(
                "torchvision is installed, but cannot be imported "
                f"({type(error).__name__}: {error}); tinygrad_mnist's is used\n"
            )
            for name in [name for name in sys.modules if name.startswith("torchvision.")]:
                del sys.modules[name]
            ours = _vision_spec("torchvision")
            assert ours is not None
            assert ours.loader is not None
            module.__spec__, module.__path__ = ours, [str(_VISION)]
            ours.loader.exec_module(module)


def _vision_spec(fullname: str) -> ModuleSpec | None:
    """Where this package's `torchvision` is; what is below it Python finds in its folder.

    Raises UnsupportedModule for what is not there.
    """
    first, *rest = fullname.split(".")
    if first != "torchvision":
        return None
    if not rest:
        places = [str(_VISION)]
        return importlib.util.spec_from_file_location(
            first, _VISION / "__init__.py", submodule_search_locations=places
        )
    package = sys.modules[first]
    place = _VISION.joinpath(*rest)
    is_there = place.is_dir() or place.with_suffix(".py").is_file()
    if package.__path__ != [str(_VISION)] or is_there or _only_asked():
        return None
    told = f"{fullname} is not supported by tinygrad_mnist"
    try:
        getattr(sys.modules[".".join([first, *rest[:-1]])], rest[-1])
    except AttributeError as error:
        told = str(error)
    raise UnsupportedModule(told, name=fullname)


def answer_torch_imports() -> TorchFinder:
    """From now on `import torch`, in this process, gives tinygrad_mnist; what finds it.

    The classes at its top level say that they are torch's, so that `print(type(x))` does too.
    """
    for known in sys.meta_path:
        if isinstance(known, TorchFinder):
            return known
    reading.cuda_as_cpu = os.environ.get(DEVICE) == "cpu"
    finder = TorchFinder()
    sys.meta_path.insert(0, finder)
    for name, place in NAMES.items():
        light = place.startswith(("_tensor", "autograd", "dtypes", "engine"))
        value = getattr(tinygrad_mnist, name) if light else None
        if inspect.isclass(value) and value.__module__.startswith("tinygrad_mnist"):
            value.__module__ = "torch"
    return finder


def answer_torchvision_imports() -> None:
    """From now on `import torchvision`, in this process of PyTorch's, works in any case."""
    sys.meta_path.insert(0, VisionFinder())


_real: dict[str, ModuleType] = {}
"""PyTorch's own modules, while `import torch` is answered."""


@contextmanager
def unanswered() -> Iterator[None]:
    """Inside the block `import torch` gives PyTorch itself, in a process that answers it, too."""
    finders = [finder for finder in sys.meta_path if isinstance(finder, TorchFinder)]
    if not finders:
        yield
        return
    answers = _taken_out()
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in finders]
    sys.modules.update(_real)
    try:
        yield
    finally:
        _real.update(_taken_out())
        sys.meta_path[:0] = finders
        sys.modules.update(answers)


def _taken_out() -> dict[str, ModuleType]:
    """The modules of PyTorch's names, taken out of those that are known as imported."""
    names = [name for name in sys.modules if name.partition(".")[0] == "torch"]
    return {name: sys.modules.pop(name) for name in names}
