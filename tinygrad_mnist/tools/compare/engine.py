"""What recording needs to know of an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

__all__ = ["Engine", "NoteOperation", "sample"]

Array = np.ndarray[Any, Any]
NoteOperation = Callable[[str, Any], None]
"""What is told of each operation: its name, and its result."""

_SAMPLE = 1024


class Engine(Protocol):
    """An engine whose doings are recorded."""

    def prepare(self, threads: int, seed: int) -> None:
        """Make it start as the other engine does: threads, random numbers."""

    def replace_calls(self, backward: Callable[..., Any], grad: Callable[..., Any]) -> None:
        """Wrap `autograd.backward` and `autograd.grad`: each is called with what it wraps."""

    def is_tensor(self, value: Any) -> bool:
        """Whether the value is a tensor of this engine."""

    def array(self, tensor: Any) -> Array:
        """A copy of a tensor's numbers."""

    def leaves(self, roots: Iterable[Any]) -> list[Any]:
        """The leaves that the roots were computed from."""

    def overwrite(self, tensor: Any, array: Array) -> None:
        """Put numbers into a tensor behind autograd's back."""

    def watch_operations(self, note: NoteOperation | None) -> None:
        """Tell `note` of every operation from now on; None ends it."""

    def has_gpu(self) -> bool:
        """Whether it finds a GPU that scripts can ask for."""

    def wait(self) -> None:
        """Until everything asked for is computed."""


def sample(array: Array) -> Array:
    """At most a thousand of an array's numbers, evenly spread: what is kept of a result."""
    flat = array.reshape(-1)
    return np.array(flat[:: max(1, -(-flat.size // _SAMPLE))])
