"""What becomes of a gradient where it arrives: hooks see it, `.grad` keeps it or adds it up."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from tinygrad_mnist.ops.casting import clone
from tinygrad_mnist.ops.indexing import WHOLE, index_put

from .hooks import Gradient, call_after_accumulation, run_hooks, run_post_hooks, run_pre_hooks
from .record import AccumulateGrad, Record, TensorBase, Watch, named_as, report, state, wrap

_accumulation = threading.Lock()
_SHARED = (
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location. Please clone() the tensor before performing the operation."
)


def run_tensor_hooks(
    record: Record, watch: Watch, gradient: Gradient, owned: set[Record]
) -> Gradient:
    """Do with a tensor's gradient what was asked: call hooks, keep it in `.grad`."""
    if watch.hooks:
        owned.discard(record)
        gradient = run_hooks(watch.hooks, gradient)
    if watch.retains_grad and record.primitive is not None:
        kept = gradient if isinstance(gradient, TensorBase) else wrap(gradient)
        watch.grad = clone(kept) if watch.grad is None else watch.grad + kept
    return gradient


def _gathered(known: Any, gradient: Any) -> Any:
    """What a leaf's `.grad` is after a Tensor came: `known` itself unless records are kept."""
    if known is None:
        return named_as(clone(gradient), "CopyBackwards")
    total = known + gradient
    if state.grad_enabled:
        return total
    np.copyto(known._array, total._array)
    known._counter[0] += 1
    report(index_put, (known, total), {"region": WHOLE, "arrays": None}, known)
    return known


def accumulate_grad(leaf: AccumulateGrad, gradient: Gradient, owned: bool) -> None:
    """Add `gradient` to a leaf's `.grad`, which never shares memory with another tensor.

    A leaf that requires no gradient any more, or is gone, gathers none.
    """
    watch, tensor = leaf.watched(), leaf.variable
    if watch.pre_hooks:
        gradient = run_pre_hooks(watch.pre_hooks, gradient)
        if gradient is None:
            return
    if tensor is not None and tensor._record is leaf:
        with _accumulation:
            known = watch.grad
            if isinstance(gradient, TensorBase):
                watch.grad = _gathered(known, gradient)
            elif known is None:
                watch.grad = wrap(gradient if owned else gradient.copy())
            elif not known._array.flags.writeable:
                raise RuntimeError(_SHARED)
            else:
                np.add(known._array, gradient, known._array)
                known._counter[0] += 1
        if watch.post_hooks:
            call_after_accumulation(watch.post_hooks, tensor)
    if watch.node_hooks:
        run_post_hooks(leaf, [], gradient)
