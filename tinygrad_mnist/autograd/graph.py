"""The graph's nodes and edges by PyTorch's names, and hooks on several tensors at once."""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.hooks import RemovableHandle
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.node import FREED, OutputRecord, Record, count_outputs, edge, packed
from tinygrad_mnist.engine.observer import OBSERVERS, Observer, observe
from tinygrad_mnist.engine.outputs import output_record
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import current_record


class _AnyRecord(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Record)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or issubclass(subclass, Record)


class Node(metaclass=_AnyRecord):
    """What every `grad_fn` is an instance of.

    >>> x = torch.ones(2, requires_grad=True)
    >>> isinstance((x * 2).grad_fn, torch.autograd.graph.Node)
    True
    """


class GradientEdge(NamedTuple):
    """An output of a node: where a gradient arrives. `autograd.grad` takes it for a tensor."""

    node: Record
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor arrives: its node, and the number of the output.

    Raises RuntimeError for a tensor that requires no gradient.

    >>> x = torch.ones(2, requires_grad=True)
    >>> edge = torch.autograd.graph.get_gradient_edge(x)
    >>> torch.autograd.grad((x * 3).sum(), edge)
    (tensor([3., 3.]),)
    """
    record = current_record(tensor)
    if record is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    if tensor._record is None:  # a view that has none though its base requires a gradient
        raise AssertionError("Expected gradient function to be set")
    return GradientEdge(*edge(record))


def record_at(given: GradientEdge, roots: Iterable[Record]) -> Record:
    """The record in which the gradient of an edge arrives, on the way from the roots."""
    node, number = given
    outputs = count_outputs(node)
    if outputs == 1:
        return node
    for record in topological_order(roots):
        if isinstance(record, OutputRecord) and edge(record) == (node, number):
            return record
    return output_record(node, np.empty(0), number, outputs)


class _Group:
    """Hooks on several tensors that belong together."""

    def __init__(self, tensors: Sequence[Tensor], fn: Callable[..., None], every: bool) -> None:
        self.fn, self.every = fn, every
        self.records = [current_record(tensor) for tensor in tensors]
        hooks = [functools.partial(self.call, number) for number in range(len(tensors))]
        pairs = zip(tensors, hooks, strict=True)
        self.handles = [tensor.register_hook(hook) for tensor, hook in pairs]

    def call(self, number: int, gradient: Tensor) -> None:
        """A gradient came."""
        running = backward_mode.running
        assert running is not None
        running.gathered = running.gathered or {}
        found = running.gathered.setdefault(self, {})
        found[number] = gradient
        if len(found) == (sum(map(running.visits, self.records)) if self.every else 1):
            self.fn([found.get(at) for at in range(len(self.records))] if self.every else gradient)

    def pop(self, number: int, default: Any) -> None:
        """Take all hooks away, as a handle asks."""
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all"
) -> RemovableHandle:
    """Call `fn` once in each backward pass that reaches some of the tensors.

    With mode "all" it gets a list of their gradients (None for those not reached) when the last
    one has come; with "any" the first gradient. Raises ValueError for another mode.

    >>> a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    >>> handle = torch.autograd.graph.register_multi_grad_hook((a, b), print)
    >>> (a * b * 2).backward()
    [tensor([2.]), tensor([2.])]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    group: Any = _Group(tensors, fn, mode == "all")
    return RemovableHandle(group, 0)


class _Packer:
    """An observer that has the innermost hooks pack what each call saved."""

    def __init__(self, outside: Observer | None) -> None:
        self.outside = outside

    def __call__(self, *call: Any) -> None:
        """A call was made: its record holds its saved tensors."""
        if self.outside is not None:
            self.outside(*call)
        record = None if call[3] is None else call[3]._record
        if record is not None and backward_mode.packing and record.saved is not FREED:
            pack, undo = backward_mode.packing[-1]
            record.saved = tuple([each and packed(each, pack, undo) for each in record.saved])


class saved_tensors_hooks:
    """Inside the `with` block, keep what `pack_hook` makes of each tensor saved for backward.

    `unpack_hook` gets that, and makes the tensor again when backward needs it. Of nested blocks
    the innermost counts. Raises RuntimeError for a `pack_hook` that changes the tensor in place,
    and where `disable_saved_tensors_hooks` forbids them; TypeError where no tensor is unpacked.

    >>> a = torch.tensor([2.0], requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda x: x.numpy(), torch.from_numpy):
    ...     b = a * a
    >>> b.backward()
    >>> a.grad
    tensor([4.])
    """

    def __init__(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if backward_mode.no_packing is not None:
            raise RuntimeError(backward_mode.no_packing)
        observer = OBSERVERS.get(threading.get_ident())
        if not backward_mode.packing:
            observe.set(_Packer(observer))
        backward_mode.packing.append((self.pack_hook, self.unpack_hook))

    def __exit__(self, *details: object) -> None:
        if backward_mode.packing:
            backward_mode.packing.pop()
        observer = OBSERVERS.get(threading.get_ident())
        if isinstance(observer, _Packer) and not backward_mode.packing:
            observe.set(observer.outside)


class save_on_cpu(saved_tensors_hooks):
    """Keep copies of the tensors saved for backward in main memory, where all tensors are here.

    >>> a = torch.tensor([3.0], requires_grad=True)
    >>> with torch.autograd.graph.save_on_cpu():
    ...     b = a * a
    >>> b.backward()
    >>> a.grad
    tensor([6.])
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: tensor.clone(), lambda packed: packed)


class _Copy:
    """A copy of a tensor as it was when it was saved."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.clone()
        self.counter, self.version = tensor._counter, tensor._counter[0]


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """Inside the `with` block, tensors that were saved may change: backward uses copies.

    Each is copied when it is saved, once for each version. Raises RuntimeError for a block inside
    another one, AssertionError where backward is asked for after its end.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     y = x.clone()
    ...     z = (y**2).sum()
    ...     _ = y.sin_()
    ...     z.backward()
    >>> x.grad
    tensor([2., 2.])
    """

    _open: ClassVar[list[allow_mutation_on_saved_tensors]] = []

    def __init__(self) -> None:
        super().__init__(self._copied, self._original)
        self.tid_to_weakhandle: weakref.WeakValueDictionary[Any, _Copy] = (
            weakref.WeakValueDictionary()
        )
        """The copies, by what they are copies of, as long as a node keeps them."""

    @property
    def cloned(self) -> dict[_Copy, Tensor]:
        """The copies of tensors that have changed since."""
        copies = self.tid_to_weakhandle.values()
        return {each: each.tensor for each in copies if each.counter[0] != each.version}

    def _copied(self, tensor: Tensor) -> _Copy:
        memory = tensor._array.__array_interface__
        layout = memory["data"], memory["strides"], tensor.shape
        key = (id(tensor._counter), tensor._counter[0], *layout)
        copy = self.tid_to_weakhandle.get(key)
        if copy is None:
            copy = self.tid_to_weakhandle[key] = _Copy(tensor)
        return copy

    def _original(self, copy: _Copy) -> Tensor:
        if self not in self._open:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in "
                "which the graph was originally recorded."
            )
        return copy.tensor

    # In PyTorch, too, this block gives itself, and its base class nothing.
    def __enter__(self) -> Self:  # type: ignore[override]
        if self._open:
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        super().__enter__()
        self._open.append(self)
        return self

    def __exit__(self, *details: object) -> None:
        self._open.remove(self)
        self.tid_to_weakhandle.clear()
        super().__exit__(*details)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Inside the `with` block, `saved_tensors_hooks` raises RuntimeError with this message.

    >>> with torch.autograd.graph.disable_saved_tensors_hooks("not here"):
    ...     pass
    """
    if backward_mode.packing:
        raise RuntimeError(error_message)
    previous, backward_mode.no_packing = backward_mode.no_packing, error_message
    try:
        yield
    finally:
        backward_mode.no_packing = previous


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a change of a tensor's memory, or of several, that the engine has not seen.

    >>> a = torch.ones(2)
    >>> torch.autograd.graph.increment_version(a)
    >>> a._version
    1
    """
    for each in (tensor,) if isinstance(tensor, Tensor) else tensor:
        if not each.is_inference():
            each._counter[0] += 1


class Engine:
    """`Variable._execution_engine`: what runs backward passes."""

    @staticmethod
    def queue_callback(callback: Callable[[], None]) -> None:
        """Call `callback()` at the end of the backward pass that is under way."""
        running = backward_mode.running
        if running is None:
            raise RuntimeError("Final callbacks can only be installed during backward pass.")
        running.callbacks = running.callbacks or []
        running.callbacks.append(callback)
