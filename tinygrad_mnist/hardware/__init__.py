"""What PyTorch asks about devices that are not there, answered: none is available.

`accelerator`, `backends` and `version` hold those answers and PyTorch's switches, which can be set
and change nothing; they can be imported as modules, as in PyTorch.

>>> import tinygrad_mnist.backends.cudnn
>>> tinygrad_mnist.backends.cudnn.is_available()
False
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

from tinygrad_mnist.engine.device import device


def is_available() -> bool:
    """Whether there is such a device or library here: no."""
    return False


def device_count() -> int:
    """The number of such devices: 0."""
    return 0


def synchronize(device: device | str | int | None = None) -> None:
    """Refused: there is no device to wait for."""
    raise RuntimeError(
        "Cannot access accelerator device when none is available: ask is_available() first."
    )


def _nothing(*arguments: object) -> None:
    """Nothing: there is no such device."""


def _current_accelerator(check_available: bool = False) -> device | None:
    """The device to prefer to the CPU: None."""
    return None


def _version() -> int | None:
    """The library's version: None, for it is not there."""
    return None


def _module(name: str, doc: str, **contents: object) -> ModuleType:
    module = ModuleType(f"{__name__}.{name}", doc)
    spec = ModuleSpec(module.__name__, None, origin=__file__)
    vars(module).update(contents, __file__=__file__, __spec__=spec)
    sys.modules[module.__name__] = module
    return module


version = _module(
    "version", "What PyTorch says of how it was built: without a GPU.",
    cuda=None, hip=None, xpu=None, debug=False,
)  # fmt: skip
accelerator = _module(
    "accelerator", "Any accelerator: there is none here.",
    is_available=is_available, device_count=device_count, current_accelerator=_current_accelerator,
    **dict.fromkeys(("synchronize", "set_device_index", "current_device_index"), synchronize),
)  # fmt: skip
nccl = _module(
    "nccl", "NVIDIA's library that joins several GPUs.", is_available=lambda tensors: False
)
mps, xpu = (
    _module(
        name, doc, is_available=is_available, device_count=device_count, synchronize=synchronize,
        manual_seed=_nothing, manual_seed_all=_nothing, empty_cache=_nothing,
    )
    for name, doc in {"mps": "Apple's GPUs.", "xpu": "Intel's GPUs."}.items()
)  # fmt: skip
_matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
)
backends = _module(
    "backends", "The libraries behind PyTorch, which are not behind this engine.", __path__=[],
    cuda=_module("backends.cuda", "NVIDIA's GPUs.", is_built=is_available, matmul=_matmul),
    cudnn=_module(
        "backends.cudnn", "NVIDIA's library for networks.",
        enabled=True, benchmark=False, deterministic=False, allow_tf32=True,
        is_available=is_available, version=_version,
    ),
    mkldnn=_module(
        "backends.mkldnn", "Intel's library for networks.", enabled=True, is_available=is_available
    ),
    mps=_module(
        "backends.mps", "Apple's GPUs.", is_available=is_available, is_built=is_available
    ),
)  # fmt: skip
