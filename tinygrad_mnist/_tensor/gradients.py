"""A tensor's side of autograd: whether it requires a gradient, its gradient, its record."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mnist import autograd, dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.hooks import RemovableHandle
from tinygrad_mnist.engine.node import (
    AccumulateGrad,
    OutputRecord,
    Record,
    edge,
    hooks_of,
    make_record,
    move_grad,
    note_hooks_of,
)
from tinygrad_mnist.engine.observer import OBSERVERS, detached, report
from tinygrad_mnist.engine.outputs import only_recorded
from tinygrad_mnist.engine.saved_tensors import DETACHED
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.views import current_record, requires_grad

_NOT_POPULATED = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad "
    "attribute won't be populated during autograd.backward(). If you indeed want the .grad field "
    "to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you "
    "access the non-leaf Tensor by mistake, make sure you access the leaf Tensor instead. See "
    "github.com/pytorch/pytorch/pull/30531 for more information."
)
_CPP_NAMES = {
    dtypes.bool: "bool",
    dtypes.uint8: "unsigned char",
    dtypes.int32: "int",
    dtypes.int64: "long int",
    dtypes.float32: "float",
    dtypes.float64: "double",
}


def _refuse_other_shape(record: Record, gradient: Any) -> list[Any]:
    (source,) = record.inputs
    assert source is not None
    raise RuntimeError(
        f"the tensor that {source.name()} computed was given another shape in place: an invalid "
        f"gradient - got {list(record.shape)} but expected shape compatible with "
        f"{list(source.shape)}"
    )


_OF_OTHER_SHAPE = only_recorded(_refuse_other_shape)


def replace_memory(tensor: Any, array: Array, renewed: bool = False) -> None:
    """Have a tensor show other memory, which no record tells of.

    A leaf of another shape or type, or in any case if `renewed`, gets a new end of paths, with the
    same gradient and hooks. What a tensor of another shape was computed from gets no gradients.
    """
    tensor._array = array
    resting = tensor._record is None
    record: Any = tensor.__dict__.get("_resting_leaf") if resting else tensor._record
    if record is None or (
        not renewed and (record.shape, record.dtype) == (array.shape, array.dtype)
    ):
        return
    newer: Record = record
    if isinstance(record, AccumulateGrad):
        newer = AccumulateGrad(tensor)
        newer.hooks = record.hooks
    elif record.shape != array.shape and tensor._view is None:
        newer = make_record(_OF_OTHER_SHAPE, (record,), array, (), {}, type(record))
        move_grad(record, newer)
    if resting:
        tensor.__dict__["_resting_leaf"] = newer
    else:
        tensor._record = newer


class Gradients(Tensor):
    """The attributes and methods by which a tensor takes part in autograd."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor."""
        return requires_grad(self)

    @requires_grad.setter
    def requires_grad(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise RuntimeError("requires_grad must be a bool")
        if mode and not self.is_leaf:
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        if mode and self._array.dtype.kind not in dtypes.FLOATS:
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients"
            )
        self.requires_grad_(mode)

    @requires_grad.deleter
    def requires_grad(self) -> None:
        raise RuntimeError("requires_grad must be a bool")

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients with respect to this leaf, or stop asking; the tensor itself.

        Raises RuntimeError for a type that is not floating point, or for False on a non-leaf.
        """
        if not isinstance(requires_grad, bool):
            raise TypeError(
                "requires_grad_(): argument 'requires_grad' (position 1) must be bool, "
                f"not {type(requires_grad).__name__}"
            )
        record: Any = self._record if requires_grad else current_record(self)
        if record is not None and record.primitive is not None:
            if not requires_grad:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use "
                    "a computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach()."
                )
        elif requires_grad and record is None:
            if self._array.dtype.kind not in dtypes.FLOATS:
                raise RuntimeError("only Tensors of floating point dtype can require gradients")
            self._record = self.__dict__.pop("_resting_leaf", None) or AccumulateGrad(self)
        elif not requires_grad and record is not None:
            self.__dict__["_resting_leaf"] = record
            self._record = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was not computed from others by recorded operations."""
        record = current_record(self)
        return record is None or record.primitive is None

    @property
    def grad_fn(self) -> Record | None:
        """The record of the operation that computed this tensor; None for a leaf."""
        record: Record | None = edge(current_record(self))[0]
        return None if record is None or record.primitive is None else record

    @property
    def _grad_fn(self) -> Record | None:
        """`grad_fn`, by the name under which it may not be deleted."""
        return self.grad_fn

    @_grad_fn.deleter
    def _grad_fn(self) -> None:
        raise RuntimeError("Deletion of _grad_fn not allowed. Detach tensor instead!")

    @property
    def _backward_hooks(self) -> Any:
        """The hooks that `register_hook` added; those of a constant are never called."""
        record: Any = self._record
        if record is None:
            return self.__dict__.get("_idle_hooks")
        return (record.hooks and record.hooks.tensor_hooks) or None

    @_backward_hooks.setter
    def _backward_hooks(self, hooks: Any) -> None:
        record: Any = self._record
        if record is None:
            self.__dict__["_idle_hooks"] = hooks
        else:
            hooks_of(record).tensor_hooks = {} if hooks is None else hooks
            note_hooks_of(record)

    @_backward_hooks.deleter
    def _backward_hooks(self) -> None:
        raise RuntimeError("Deletion of _backwards_hooks not allowed!")

    @property
    def retains_grad(self) -> bool:
        """Whether a non-leaf keeps its gradient, as `retain_grad` asks."""
        record: Any = self._record or self.__dict__.get("_resting_leaf")
        return record is not None and record.hooks is not None and record.hooks.retains_grad

    @property
    def grad(self) -> Tensor | None:
        """The gradient accumulated so far, None before the first `backward`."""
        record: Any = self._record or self.__dict__.get("_resting_leaf")
        if record is None:
            return None
        kept: Tensor | None = None if record.hooks is None else record.hooks.grad
        if kept is None and record.primitive is not None and not self.retains_grad:
            warnings.warn(_NOT_POPULATED, UserWarning, stacklevel=2)
        return kept

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            self._check_gradient(value)
        record: Any = self._record
        if record is None:
            if value is None and "_resting_leaf" not in self.__dict__:
                return
            record = self.__dict__.setdefault("_resting_leaf", AccumulateGrad(self))
        record.grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    _grad = grad

    def _check_gradient(self, value: object) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(
                "assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        own, given = self._array, value._array
        if given.dtype != own.dtype:
            raise RuntimeError(
                "attempting to assign a gradient with dtype "
                f"'{_CPP_NAMES[dtypes.from_numpy_dtype(given.dtype)]}' to a tensor with grad_dtype "
                f"'{dtypes.from_numpy_dtype(own.dtype).legacy_name}'. The gradient must match the "
                "tensor's grad_dtype (defaults to the tensor's dtype). You can set the tensor's "
                "grad_dtype attribute with a specific dtype, or None to allow any dtype. Set "
                "grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may "
                "break downstream systems that assume they match."
            )
        if given.shape != own.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(given.shape)}' to a tensor of "
                f"size '{list(own.shape)}'. Please ensure that the gradient and the tensor are the "
                "same size"
            )

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradients of this tensor to the leaves' `.grad`: `autograd.backward`."""
        autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def retain_grad(self) -> None:
        """Keep the gradient of this non-leaf in `.grad` too."""
        if self._record is not None and self.retains_grad:
            return
        record = current_record(self)
        if record is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if record.primitive is not None:
            hooks_of(record).retains_grad = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook` with each gradient of this tensor; what it returns takes the place of it."""
        record: Any = self._record
        if record is None or record.hooks is None or not record.hooks.tensor_hooks:
            record = current_record(self)
        if record is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        hooks = hooks_of(record).tensor_hooks
        note_hooks_of(record)
        if isinstance(record, OutputRecord):
            node, position = edge(record)
            hooks_of(node).outputs[position] = hooks
        return RemovableHandle.of(hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call `hook` with this leaf each time after a gradient was added to its `.grad`."""
        record = current_record(self)
        if record is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if not isinstance(record, AccumulateGrad):
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        note_hooks_of(record)
        return RemovableHandle.of(hooks_of(record).post_hooks, hook)

    def detach(self) -> Tensor:
        """The same memory without a record; in-place changes are seen (and counted) by both."""
        made = wrap(self._array, self._counter)
        if OBSERVERS:
            report(detached, (self,), {"by": "detach"}, made)
        return made

    def detach_(self) -> Tensor:
        """Forget the record: the tensor becomes a leaf that requires no gradient."""
        if self._view is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using "
                "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
                "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
                "these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
                "function in torch/optim/optimizer.py as the solution."
            )
        record = self._record
        if OBSERVERS:
            report(detached, (self,), {"by": "detach_"}, self)
        if record is not None:
            leaf = record if isinstance(record, AccumulateGrad) else AccumulateGrad(self)
            if leaf is not record:
                move_grad(record, leaf)
                DETACHED.add(weakref.ref(record, DETACHED.discard))
            self.__dict__["_resting_leaf"] = leaf
        self._record = None
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without a record, and with a version count of its own."""
        made = wrap(self._array)
        if OBSERVERS:
            report(detached, (self,), {"by": "data"}, made)
        return made

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        record = self._record
        if record is not None and value._array.dtype.kind not in dtypes.FLOATS:
            raise RuntimeError(
                "data set to a tensor that requires gradients must be floating point or complex "
                "dtype"
            )
        replace_memory(self, value._array)

    @data.deleter
    def data(self) -> None:
        raise RuntimeError("Deleting tensor data is not allowed. Delete tensor instead!")

    @property
    def _version(self) -> int:
        """How often the memory was changed in place."""
        return self._counter[0]

    @property
    def _base(self) -> Tensor | None:
        """For a view, the tensor that owns the memory."""
        return None if self._view is None else self._view[0]

    @property
    def output_nr(self) -> int:
        """Which output of its operation the tensor is."""
        return edge(current_record(self))[1]

    def _is_view(self) -> bool:
        """Whether the tensor is a view of another."""
        return self._view is not None
