"""Names of torchvision that are not carried, refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tinygrad_mnist.names import Unsupported


def must(holds: Any, told: str, kind: type[Exception] = ValueError) -> None:
    """Raise an error that tells what was expected, unless it holds."""
    if not holds:
        raise kind(told)


def refuse(module: str, ways: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """What `module` answers when it is asked for a name that it does not have.

    >>> refuse("torchvision", {"tv_tensors": "take plain tensors"})("tv_tensors")
    Traceback (most recent call last):
    ...
    tinygrad_mnist.names.Unsupported: torchvision.tv_tensors is not supported by tinygrad_mnist: \
take plain tensors
    """

    def answer(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module '{module}' has no attribute '{name}'", name=name)
        way = (ways or {}).get(name)
        told = f"{module}.{name} is not supported by tinygrad_mnist"
        raise Unsupported(f"{told}: {way}" if way else told)

    return answer
