"""PyTorch's questions about GPUs, answered: there are none here.

What needs one raises AssertionError, as in a PyTorch that was built without CUDA, unless "cuda" is
read as the CPU (`tinygrad-mnist run --device cpu`): then it does what there is to do on a CPU.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from typing import Any

from tinygrad_mnist._tensor import creation
from tinygrad_mnist.engine.device import reading
from tinygrad_mnist.engine.tensor import Tensor

from . import device_count as device_count
from . import is_available as is_available

__path__: list[str] = []
"""So that `cuda.amp` can be imported, from the room's `cuda_amp`."""

is_initialized = is_available
is_bf16_supported = is_available
is_tf32_supported = is_available


def empty_cache(*arguments: Any) -> None:
    """Nothing: there is no GPU memory, and no GPU's random numbers have a state."""


manual_seed = manual_seed_all = seed_all = set_rng_state_all = empty_cache


def memory_allocated(device: Any = None) -> int:
    """How much memory of the GPU is in use: 0."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def get_rng_state_all() -> list[Tensor]:
    """The state of each GPU's random numbers: there is none."""
    return []


_OF_THE_CPU: dict[str, Any] = {
    "current_device": 0, "get_device_name": "CPU", "init": None, "ipc_collect": None,
    "reset_max_memory_allocated": None, "reset_peak_memory_stats": None, "set_device": None,
    "synchronize": None,
}  # fmt: skip
"""Functions that need a GPU, and what they answer where the CPU is read for it."""
_OF_A_GPU = frozenset(
    ("can_device_access_peer", "current_blas_handle", "get_device_capability", "initial_seed",
     "get_device_properties", "mem_get_info", "memory_summary", "set_per_process_memory_fraction")
)  # fmt: skip
"""Functions that have no answer without a GPU."""


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises where a GPU has no memory left; nothing raises it here."""


def _need_gpu(name: str) -> None:
    if not reading.cuda_as_cpu or name in _OF_A_GPU:
        kind = RuntimeError if name in ("Event", "Stream", "device") else AssertionError
        way = (
            ", or start the script with tinygrad-mnist run --device cpu, which reads 'cuda' as the"
        )
        way = "" if reading.cuda_as_cpu else f"{way} CPU"
        raise kind(
            f"Torch not compiled with CUDA enabled: torch.cuda.{name} needs a GPU, and this engine "
            f"computes on the CPU. Ask torch.cuda.is_available() first{way}."
        )


class device(contextlib.ContextDecorator):
    """In a `with` block, the GPU to use; entering it needs one."""

    def __init__(self, device: Any) -> None:
        pass

    def __enter__(self) -> None:
        _need_gpu("device")

    def __exit__(self, *details: object) -> None:
        """Nothing was changed."""


device_of = device


class stream(device):
    """In a `with` block, the stream to use; None is none."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            _need_gpu("stream")


class Stream:
    """A queue of a GPU's work; on a CPU all work is done when it is asked for."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        _need_gpu(type(self).__name__)

    def wait(self, other: Any = None) -> None:
        """Nothing: all is done."""

    synchronize = wait_event = wait_stream = wait

    def query(self) -> bool:
        """Whether all is done: yes."""
        return True


def current_stream(device: Any = None) -> Stream:
    """The queue in use; needs a GPU."""
    return Stream()


default_stream = current_stream


class Event(Stream):
    """A moment in a GPU's work; on a CPU, the time at which it is recorded."""

    def record(self, stream: Any = None) -> None:
        """Take the time."""
        self.seconds = time.perf_counter()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this moment to another."""
        return (end_event.seconds - self.seconds) * 1000


def __getattr__(name: str) -> Any:
    if name == "amp":
        return importlib.import_module("tinygrad_mnist.cuda.amp")
    if name in _OF_THE_CPU or name in _OF_A_GPU:
        return _needing_one(name)
    if name.endswith("Tensor") and hasattr(creation, name):
        if reading.cuda_as_cpu:
            return getattr(creation, name)
        return type(name, (), {"__module__": "torch.cuda", "__new__": _no_tensor})
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def _needing_one(name: str) -> Any:
    """The function of that name in PyTorch's module."""

    def answer(*arguments: Any, **named: Any) -> Any:
        _need_gpu(name)
        return _OF_THE_CPU[name]

    answer.__name__ = answer.__qualname__ = name
    return answer


def _no_tensor(cls: type, *data: Any) -> Any:
    raise TypeError(
        f"type torch.cuda.{cls.__name__} not available. Torch not compiled with CUDA enabled: use "
        f"torch.{cls.__name__}"
    )
