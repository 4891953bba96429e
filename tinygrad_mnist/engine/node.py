"""The record of a call with PyTorch's face: a node of the graph, as `grad_fn` shows it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tinygrad_mnist.core.record import Array, next_sequence, state
from tinygrad_mnist.core.record import Record as CoreRecord

from .hooks import Bundle, Hooks, RemovableHandle
from .saved_names import as_tensors, saved_places
from .tensor import Tensor, TensorBase, wrap

NO_ATTRIBUTES: dict[str, Any] = {}
PRIMITIVES: dict[str, Any] = {}
"""Every primitive by its name."""

Hook = Callable[[Any], Any]
Saved = tuple[Any, list[int], int]
"""A value kept for a formula: itself, its version counter, and the version when it was kept."""
CONSTANT = [0]
"""The version counter of Python numbers, which never change."""
CALL: list[Any] = [None]
"""What calling a record does: the one entry is set where the backward pass is defined."""
KEPT = [0]
"""The version counter of a number that belongs to the record, so that it is not freed."""
PACKED = [1]
"""The version counter of what a hook packed: that is kept with version 0, so `unpack` sees it."""
FREED: tuple[Saved | None, ...] = (None,)
"""In place of what a record saved, when a backward pass has freed it."""


def freed_error() -> RuntimeError:
    """The error for saved tensors that an earlier backward pass freed."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
        "to backward through the graph a second time or if you need to access saved tensors "
        "after calling backward."
    )


class Packed:
    """What a user's hook made of a saved tensor, and the hook that undoes it."""

    __slots__ = ("packed", "shape", "undo")

    def __init__(self, tensor: TensorBase, pack: Hook, undo: Hook) -> None:
        """Call `pack` with a tensor without record; it must not change that in place."""
        before, recorded = tensor._counter[0], state.grad_enabled
        state.grad_enabled = False
        try:
            self.packed: Any = pack(tensor)
        finally:
            state.grad_enabled = recorded
        self.undo, self.shape = undo, tensor._array.shape
        if tensor._counter[0] != before:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as "
                "input to pack hook can not be modified by in-place operations as this can lead "
                "to unexpected side-effects. Please open an issue if you need to perform in-place "
                "operations on the input to a pack hook."
            )

    def open(self) -> Tensor:
        """The tensor again; TypeError if the hook gives none."""
        opened = self.undo(self.packed)
        if not isinstance(opened, TensorBase):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                f"type {type(opened).__name__}"
            )
        return opened  # type: ignore[return-value]


class SavedTensor:
    """A saved tensor as its node keeps it, `_raw_saved_self` and the like: hooks may pack it."""

    def __init__(self, record: Record | None = None, which: int = 0) -> None:
        if record is None:
            raise RuntimeError("Trying to create a SavedTensor object from Python is forbidden.")
        self._record, self._which = record, which

    def register_hooks(self, pack_hook: Hook, unpack_hook: Hook) -> None:
        """Keep what `pack_hook` makes of the tensor; `unpack_hook` makes the tensor of it."""
        record, forbidden = self._record, "Calling register_hooks on a saved tensor "
        if record.saved is FREED:
            raise RuntimeError(
                f"{forbidden}after it has been freed. {str(freed_error()).partition('. ')[2]}"
            )
        kept = record.saved[self._which]
        if kept is None:
            raise RuntimeError(f"{forbidden}with value None is forbidden")
        if kept[1] is PACKED:
            raise RuntimeError(
                f"{forbidden}whose hooks have already been set. "
                "Hint: only one pair of hooks is allowed at a time."
            )
        saved = list(record.saved)
        saved[self._which] = packed(kept, pack_hook, unpack_hook)
        record.saved = tuple(saved)


def packed(kept: Saved, pack: Hook, undo: Hook) -> Saved:
    """A saved value after the hook `pack`; numbers that are no tensors stay as they are."""
    value, counter, _ = kept
    if not isinstance(value, np.ndarray) or counter is CONSTANT:
        return kept
    return Packed(wrap(value, counter), pack, undo), PACKED, 0


class Record(CoreRecord):
    """What one call of a primitive leaves behind: data, no closures.

    Each primitive has a subclass, named as PyTorch names it (`MulBackward0`).
    """

    __slots__ = ("__weakref__", "hooks")
    __repr__ = object.__repr__  # <MulBackward0 object at 0x…>, as PyTorch prints it

    inputs: tuple[Record | None, ...]
    saved: tuple[Saved | None, ...]
    hooks: Hooks | None
    subclasses: ClassVar[dict[str, type[Record]]] = {}

    @classmethod
    def named(cls, name: str) -> type[Record]:
        """The subclass called `name`, made on first use."""
        if name not in cls.subclasses:
            cls.subclasses[name] = type(
                name, (Record,), {"__slots__": (), "__module__": "builtins"}
            )
        return cls.subclasses[name]

    def name(self) -> str:
        """The operation's name as PyTorch spells it, for example "MulBackward0"."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name in {"CopySlices", "Error"} else name

    @property
    def grad(self) -> Any:
        """The gradient that was kept, if any."""
        return None if self.hooks is None else self.hooks.grad

    @grad.setter
    def grad(self, gradient: Any) -> None:
        hooks_of(self).grad = gradient

    @property
    def requires_grad(self) -> bool:
        """Always True: a record is left only where gradients may be asked for."""
        return True

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for whatever a user wants to note about this record."""
        return hooks_of(self).metadata

    @property
    def next_functions(self) -> tuple[tuple[Record | None, int], ...]:
        """The records of the inputs, each with the number of the output it stands for."""
        return tuple([edge(record) for record in self.inputs])

    def _sequence_nr(self) -> int:
        """A number that grows with each record."""
        return self.sequence

    def __call__(self, *gradients: Any) -> Any:
        """The gradients of the operation's inputs, for those of its outputs: Tensors or None."""
        return CALL[0](self, gradients)

    def register_hook(self, fn: Callable[[Any, Any], Any]) -> RemovableHandle:
        """Call `fn(grad_inputs, grad_outputs)` after the operation's backward has run.

        Both are tuples of Tensors (or None); a tuple that `fn` returns replaces `grad_inputs`.
        """
        note_hooks_of(self)
        return RemovableHandle.of(hooks_of(self).node_hooks, fn)

    def register_prehook(self, fn: Callable[[Any], Any]) -> RemovableHandle:
        """Call `fn(grad_outputs)` before the operation's backward; it may return others."""
        note_hooks_of(self)
        return RemovableHandle.of(hooks_of(self).pre_hooks, fn)

    def __getattr__(self, name: str) -> Any:
        """`_saved_<name>`: what was saved for the formulas, by PyTorch's name for it.

        The record of a Function has what its forward put on the context as well.
        """
        raw = name.startswith("_raw_saved_")
        place = saved_places(self).get(name.removeprefix("_raw")) if "_saved_" in name else None
        if place is None:
            context = self.attributes.get("ctx")
            if context is not None and hasattr(context, name):
                return getattr(context, name)
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        if isinstance(place, int):
            return SavedTensor(self, place) if raw else self._unpacked(place)
        given = self.attributes[place]
        shown = as_tensors(given)
        if shown is not given and self.saved is FREED:
            raise freed_error()
        return shown

    def _unpacked(self, which: int) -> Any:
        """What was saved at a position: a tensor, or a number; None where it was not needed."""
        if self.saved is FREED:
            raise freed_error()
        kept = self.saved[which]
        if kept is not None and kept[1] is PACKED:
            opened = kept[0].open()
            kept = (opened._array, opened._counter, 0)
        if kept is None or not isinstance(kept[0], np.ndarray):
            return None if kept is None else kept[0]
        record = self if which == len(self.inputs) else self.inputs[which]
        for holder in gc.get_referrers(kept[0]) if record is not self else ():
            if isinstance(holder, TensorBase) and holder._record is record:
                return holder
        tensor = wrap(kept[0], kept[1])
        tensor._record = record
        return tensor

    def __dir__(self) -> list[str]:
        """The names of what was saved, too, and of what a Function's forward put on its context."""
        of_function = dir(self.attributes["ctx"]) if "ctx" in self.attributes else ()
        return sorted({*super().__dir__(), *saved_places(self), *of_function})


_NAMED = Record.subclasses


class OutputRecord(Record):
    """The record of one output of several: it passes its gradient on to its operation's record.

    Users are shown the operation's record and the number of the output instead.
    """

    __slots__ = ()

    def bundle(self, gradient: Any) -> Bundle:
        """The gradient of this output alone."""
        return Bundle({self.attributes["position"]: gradient}, self.attributes["outputs"])


def edge(record: Any) -> tuple[Any, int]:
    """A record as users see it: that of the operation, and which of its outputs is meant."""
    if isinstance(record, OutputRecord):
        return record.inputs[0], record.attributes["position"]
    return record, 0


def count_outputs(node: Record) -> int:
    """How many outputs an operation has."""
    outputs = node.attributes.get("outputs", 1)
    return outputs if isinstance(outputs, int) else len(outputs)


class AccumulateGrad(Record):
    """The record of a leaf: the end of a path, where `.grad` adds up."""

    __slots__ = ("_variable",)
    __module__ = "builtins"  # so that it prints as PyTorch's does

    def __init__(self, tensor: TensorBase) -> None:
        super().__init__(tensor._array, None, (), (), NO_ATTRIBUTES)
        self.hooks = Hooks()
        self._variable = weakref.ref(tensor)

    def name(self) -> str:
        """PyTorch's name, which is not that of the class here."""
        return "torch::autograd::AccumulateGrad"

    @property
    def variable(self) -> Any:
        """The leaf tensor, None when it is gone."""
        return self._variable()


HOOKED: set[weakref.ref[Record]] = set()
"""The leaves that have had hooks: where there are some, each leaf's turn comes when it can."""


def note_hooks_of(record: Record) -> None:
    """Note that a record gets a hook, if it is that of a leaf."""
    if isinstance(record, AccumulateGrad):
        HOOKED.add(weakref.ref(record, HOOKED.discard))


def hooks_of(record: Record) -> Hooks:
    """What was asked of a record, to be added to."""
    if record.hooks is None:
        record.hooks = Hooks()
    return record.hooks


def make_record(
    op: Any,
    inputs: tuple[Any, ...],
    out: Array,
    saved: tuple[Saved | None, ...],
    attributes: dict[str, Any],
    record_type: type[Record] | None = None,
) -> Record:
    """A record of one call, of the operation's own class unless another is given."""
    record: Record = object.__new__(op.record_type if record_type is None else record_type)
    record.primitive = op
    record.inputs = inputs
    record.shape = out.shape
    record.dtype = out.dtype
    record.saved = saved
    record.attributes = attributes
    record.sequence = next_sequence()
    record.hooks = None
    return record


def named_as(tensor: Tensor, name: str) -> Tensor:
    """Name the record that an operation just left in `tensor`, as PyTorch names it; the tensor."""
    record = tensor._record
    if record is not None:
        record.__class__ = _NAMED.get(name) or Record.named(name)
    return tensor


def must_not_change(tensor: Tensor, *others: TensorBase) -> Tensor:
    """Have backward passes through the record of `tensor` refuse once `others` were changed.

    They are indices: the record holds copies of them, PyTorch's holds them as they are. Returns
    the tensor.
    """
    record = tensor._record
    if record is not None:
        record.saved += tuple([(each._array, each._counter, each._counter[0]) for each in others])
    return tensor


def not_freed(tensor: Tensor) -> Tensor:
    """Have backward passes leave what was just saved, a number that PyTorch's node owns: alpha."""
    record = tensor._record
    if record is not None:
        record.saved = tuple([saved and (saved[0], KEPT, 0) for saved in record.saved])
    return tensor


def move_grad(old: Any, new: Record) -> None:
    """Move what a tensor keeps of its gradient to its newer record; hooks stay with the old one."""
    if old is None or old.hooks is None:
        return
    kept, retains_grad = old.hooks.grad, old.hooks.retains_grad
    if kept is not None or retains_grad:
        hooks = hooks_of(new)
        hooks.grad, hooks.retains_grad = kept, retains_grad
        old.hooks.grad, old.hooks.retains_grad = None, False
