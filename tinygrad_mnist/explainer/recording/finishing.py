"""A pass that was seen, made into data while the call that asked for it still runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.engine.tensor import TensorBase, wrap
from tinygrad_mnist.explainer import passes
from tinygrad_mnist.explainer.why import reasons
from tinygrad_mnist.explainer.why.memory import remember, threads
from tinygrad_mnist.tools.scripts.variables import tensors_in

from .building import Builder
from .watching import Seen, Watch

__all__ = ["finished", "loss_of", "names_in", "remembering"]


def finished(
    seen: Seen,
    watch: Watch,
    title: str,
    names: dict[int, str],
    arguments: frozenset[str] = frozenset(),
) -> passes.Pass:
    """The pass as data, with why its gradients are missing, zero or not finite."""
    builder = Builder(seen, watch.calls, names, arguments)
    found = builder.build(title)
    kept: list[Any] = [(record, record.grad) for record in seen.leaves]
    with observe(None):
        try:
            for leaf, after in builder.after.items():
                leaf.grad = wrap(after)
            found.why = _reasons(seen, builder)
        finally:
            for record, grad in kept:
                record.grad = grad
    return found


def _reasons(seen: Seen, builder: Builder) -> list[passes.Why]:
    """What `why` says of the leaves, as if `.grad` held what the pass shows that it would."""
    leaves = [record.variable for record in seen.leaves]
    return reasons([leaf for leaf in leaves if leaf is not None], loss_of(seen), builder.node_of)


def loss_of(seen: Seen) -> Any:
    """A tensor in place of the one that the pass began at, with its record."""
    start, gradient = seen.starts[0]
    loss = wrap(gradient if not isinstance(gradient, dict) else next(iter(gradient.values())))
    loss._record = start
    return loss


@contextmanager
def remembering() -> Iterator[None]:
    """Remember, inside the block, what `why` needs to name causes; what was known is kept."""
    before = threads.memory
    if before is not None and backward_mode.vjp == before.compute:
        yield
        return
    try:
        with remember():
            yield
    finally:
        threads.memory = before


def names_in(frames: Iterable[FrameType]) -> dict[int, str]:
    """What the variables of frames call records and arrays, by identity; inner frames first."""
    names: dict[int, str] = {}
    for name, tensor in tensors_in(frames, lambda value: isinstance(value, TensorBase)):
        names.setdefault(id(tensor._array), name)
        if tensor._record is not None:
            names.setdefault(id(tensor._record), name)
    return names
