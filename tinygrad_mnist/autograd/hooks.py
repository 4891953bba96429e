"""Functions that users attach to tensors, called when a gradient passes."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.record import Record, TensorBase, wrap

Gradient = Any


def run_hooks(record: Record, hooks: dict[int, Any], gradient: Gradient) -> Gradient:
    """What the hooks of a tensor make of its gradient; each sees a Tensor."""
    tensor = gradient if isinstance(gradient, TensorBase) else wrap(gradient)
    for hook in list(hooks.values()):
        changed = hook(tensor)
        if changed is not None:
            if not isinstance(changed, TensorBase):
                raise TypeError(
                    f"hook '{getattr(hook, '__name__', hook)}' has returned "
                    f"{type(changed).__name__}; expected a Tensor or None"
                )
            tensor = changed
    if tensor._array.shape != record.shape:
        raise RuntimeError(
            f"hook has changed the size of value: the gradient had shape {list(record.shape)}, "
            f"the hook returned {list(tensor._array.shape)}"
        )
    return tensor if isinstance(gradient, TensorBase) else tensor._array
