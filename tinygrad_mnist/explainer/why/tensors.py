"""The answer for one tensor: which question its gradient asks."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.engine.views import current_record, requires_grad

from .findings import not_finite
from .memory import Memory
from .missing import failed_since, no_gradient, no_record, not_a_leaf
from .reason import Reason
from .walks import amount
from .words import answer
from .wrong import nearly_zero, not_finite_gradient, of_result, partly_zero, zero


def of_tensor(tensor: Any, loss: Any, memory: Memory | None) -> Reason:
    """Why the gradient of a tensor is as it is."""
    memory = memory if memory is not None and memory.knows(tensor, loss) else None
    if not_finite(tensor._array):
        found = of_result(tensor, memory)
        if found is not None and (tensor._record is None or tensor._record.primitive is not None):
            return found
    if not requires_grad(tensor):
        return no_record(tensor, memory)
    record: Any = current_record(tensor)
    if record.primitive is not None and record.grad is None and not tensor.retains_grad:
        return not_a_leaf(tensor, loss, memory)
    grad = record.grad
    if grad is None:
        return no_gradient(tensor, loss, memory)
    failed = failed_since(tensor, loss, memory)
    if failed is not None:
        return failed
    count = amount(grad)
    if count.bad:
        return not_finite_gradient(tensor, grad, loss, memory)
    if count.all_zero and count.size:
        return zero(tensor, grad, loss, memory)
    found = nearly_zero(tensor, grad, loss, memory)
    if found is None and count.zeros:
        found = partly_zero(tensor, grad, loss, memory)
    if found is not None:
        return found
    return answer(
        "nothing",
        f"Nothing is wrong: the `.grad` of this tensor of shape {list(tensor._array.shape)} is "
        f"there, finite, and not zero; its largest number is {count.largest:.4g} in size.",
        learns=True,
    )
