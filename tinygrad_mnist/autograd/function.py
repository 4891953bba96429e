"""Operations of one's own: a forward and a backward, written as two static methods."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist.core.backward_pass import broadcasts
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.modes import GradMode
from tinygrad_mnist.engine.node import Record, freed_error, make_record
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.engine.saved_tensors import version_error
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.unbroadcast import unbroadcast
from tinygrad_mnist.engine.views import OF_A_FUNCTION, current_record, mark_view
from tinygrad_mnist.ops.views import rebase


class Bundle(dict[int, Any]):
    """The gradients of several outputs, on their way to the one record that takes them all."""

    def __add__(self, other: Bundle) -> Bundle:
        total = Bundle(self)
        for position, gradient in other.items():
            total[position] = total[position] + gradient if position in total else gradient
        return total


class FunctionCtx:
    """What forward and backward share: saved tensors, and any attribute forward sets on it."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    _to_save: tuple[Tensor | None, ...] = ()
    _saved: tuple[Any, ...] | None = ()
    _dirty: tuple[Tensor, ...] = ()
    _constant: tuple[Tensor, ...] = ()
    _node: Record | None = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs for backward, which finds them in `saved_tensors`."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    "save_for_backward can only save variables, but argument "
                    f"{tensors.index(tensor)} is of type {type(tensor).__name__}"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that `save_for_backward` kept; RuntimeError once they have been freed."""
        if self._saved is None:
            raise freed_error()
        return tuple([None if kept is None else self._unpack(*kept) for kept in self._saved])

    def _unpack(self, array: Any, counter: list[int], version: int, source: Any) -> Tensor:
        if counter[0] != version:
            origin = source if isinstance(source, Record) else self._node
            raise version_error(array, counter[0], version, origin)
        tensor = wrap(array, counter)
        if isinstance(source, Record):
            tensor._record = source
        elif source is not None and self._node is not None:
            tensor._record = _output_record(self._node, array, source)
        return tensor

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted; what it keeps is for differentiation in forward mode, which is not here."""

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which inputs forward changed in place (they must be returned too)."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which outputs no gradient is to be expected for."""
        self._constant = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for an output that was not used."""
        self.materialize_grads = value


def _output_record(node: Record, array: Any, position: int) -> Record:
    """The record of one output among several: it passes its gradient on to `node`, bundled."""
    if not node.attributes["several"]:
        return node
    return make_record(_OUTPUT, (node,), array, (), {"position": position}, type(node))


def _run_backward(record: Record, gradient: Any) -> list[Any]:
    """The gradients of a Function's inputs: its backward, called with Tensors."""
    function, ctx = record.attributes["function"], record.attributes["ctx"]
    given = gradient if isinstance(gradient, Bundle) else {0: gradient}
    as_tensors = any(isinstance(each, Tensor) for each in given.values())
    arguments = []
    for position, (shape, dtype) in enumerate(record.attributes["outputs"]):
        each = given.get(position)
        if each is None and ctx.materialize_grads:
            each = np.zeros(shape, dtype)
        arguments.append(wrap(each) if isinstance(each, np.ndarray) else each)
    ctx._node = record
    try:
        with GradMode(as_tensors):
            results = _backward_of(function)(ctx, *arguments)
    finally:
        ctx._node = None
    return _checked(record, _as_tuple(results), as_tensors)


def _backward_of(function: type[Function]) -> Callable[..., Any]:
    """The backward of a Function, by either of its names."""
    if function.vjp is Function.vjp:
        return function.backward
    if function.backward is not Function.backward:
        raise RuntimeError(
            "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You "
            "should only implement one of them."
        )
    return function.vjp


def _checked(record: Record, results: tuple[Any, ...], as_tensors: bool) -> list[Any]:
    """A Function's gradients, one for each input, in the inputs' shapes; RuntimeError otherwise."""
    name, sources = record.name(), record.inputs
    while len(results) > len(sources) and results[-1] is None:
        results = results[:-1]
    if len(results) != len(sources):
        raise RuntimeError(
            f"function {name} returned an incorrect number of gradients "
            f"(expected {len(sources)}, got {len(results)})"
        )
    checked: list[Any] = []
    for position, (source, result) in enumerate(zip(sources, results, strict=True)):
        if result is not None and not isinstance(result, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(result).__name__})")
        if result is not None and not record.attributes["tensors"][position]:
            raise RuntimeError(
                f"function {name} returned a gradient different than None at position "
                f"{position + 1}, but the corresponding forward input was not a Variable"
            )
        if source is None or result is None:
            checked.append(None)
            continue
        if not broadcasts(source.shape, result._array.shape):
            raise RuntimeError(
                f"Function {name} returned an invalid gradient at index {position} - got "
                f"{list(result._array.shape)} but expected shape compatible with "
                f"{list(source.shape)}"
            )
        good = unbroadcast(result, source)
        checked.append(good if as_tensors else good._array)
    return checked


def _never_computed() -> None:
    """The body of the two primitives below, of which only records are left."""


_FUNCTION = Primitive(_never_computed, grad_fn="FunctionBackward")
_FUNCTION.vjp = _run_backward
_OUTPUT = Primitive(_never_computed, grad_fn="FunctionOutputBackward")
_OUTPUT.vjp = lambda record, gradient: [Bundle({record.attributes["position"]: gradient})]


class Function:
    """An operation of one's own. Subclass it, write `forward` and `backward`, call `apply`.

    `forward(ctx, *inputs)` computes (nothing in it is recorded); `backward(ctx, *gradients)`
    returns one gradient for each input of forward, None for those without. With `setup_context(ctx,
    inputs, output)` defined, forward goes without ctx.

    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> y = Cube.apply(x)
    >>> y
    tensor(8., grad_fn=<CubeBackward>)
    >>> y.backward()
    >>> x.grad
    tensor(12.)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so you should invoke them on the class itself. Instantiating an autograd "
            "function will raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Always a RuntimeError: a Function is used by `apply`, without an instance."""
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; to be overridden."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save what backward needs; to be overridden where forward goes without ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the inputs; to be overridden."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @staticmethod
    def vjp(ctx: Any, *grad_outputs: Any) -> Any:
        """`backward` by another name."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward on `args` and record the call."""
        ctx = FunctionCtx()
        sources = tuple([current_record(a) if isinstance(a, Tensor) else None for a in args])
        ctx.needs_input_grad = tuple([source is not None for source in sources])
        recording = state.grad_enabled and any(ctx.needs_input_grad)
        with GradMode(False):
            if cls.setup_context is Function.setup_context:
                outputs = cls.forward(ctx, *args)
            else:
                outputs = cls.forward(*args)
                cls.setup_context(ctx, args, outputs)
        given = _as_tuple(outputs)
        _count_changes(ctx, given)
        results = tuple([_own(output, args, ctx) for output in given])
        if recording:
            _record_outputs(cls, ctx, args, sources, given, results)
        return results if isinstance(outputs, tuple) else results[0]


def _as_tuple(given: Any) -> tuple[Any, ...]:
    return given if isinstance(given, tuple) else (given,)


def _among(tensor: Any, others: Sequence[Any]) -> bool:
    """Whether `tensor` itself is one of `others`."""
    return any(tensor is each for each in others)


def _own(output: Any, args: tuple[Any, ...], ctx: FunctionCtx) -> Any:
    """An output as a tensor apart from the inputs, unless forward changed it in place.

    Changes of an output that shares memory with an input would go past backward: they are refused.
    """
    if not isinstance(output, Tensor) or _among(output, ctx._dirty):
        return output
    if _among(output, args):
        given, output = output, wrap(output._array)
        mark_view(output, given, _FUNCTION, {})
    if output._view is not None:
        base, version, steps, _ = output._view
        output._view = (base, version, steps, OF_A_FUNCTION)
    return output


def _count_changes(ctx: FunctionCtx, outputs: Sequence[Any]) -> None:
    """Raise the versions of the inputs that forward changed; RuntimeError where it must not."""
    for dirty in ctx._dirty:
        if not _among(dirty, outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )
        dirty._counter[0] += 1


def _record_outputs(
    cls: type[Function],
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    sources: tuple[Record | None, ...],
    outputs: Sequence[Any],
    results: Sequence[Any],
) -> None:
    constant = {id(tensor) for tensor in ctx._constant}
    tensors = [r for r in results if isinstance(r, Tensor)]
    if not tensors:
        return
    for given, source in zip(args, sources, strict=True):
        if _among(given, ctx._dirty) and source is not None and source.primitive is None:
            raise RuntimeError(
                "a leaf Variable that requires grad has been used in an in-place operation."
            )
    kinds = [
        (t._array.shape, t._array.dtype) if isinstance(t, Tensor) else ((), np.float32)
        for t in results
    ]
    attributes = {
        "function": cls, "ctx": ctx, "outputs": kinds, "several": len(results) > 1,
        "tensors": [isinstance(given, Tensor) for given in args],
    }  # fmt: skip
    name = Record.named(f"{cls.__name__}Backward")
    node = make_record(_FUNCTION, sources, tensors[0]._array, (), attributes, name)
    ctx._saved = tuple([_kept(tensor, args, sources, outputs) for tensor in ctx._to_save])
    ctx._to_save = ctx._dirty = ctx._constant = ()
    for position, (output, result) in enumerate(zip(outputs, results, strict=True)):
        differentiable = isinstance(result, Tensor) and result._array.dtype.kind == "f"
        if differentiable and id(output) not in constant:
            newer = _output_record(node, result._array, position)
            if _among(result, args):
                rebase(result, newer)
            else:
                result._record = newer


def _kept(
    tensor: Any, args: tuple[Any, ...], sources: tuple[Record | None, ...], outputs: Sequence[Any]
) -> Any:
    """What is kept of a saved tensor: array, version and source; no Tensor, hence no cycle."""
    if tensor is None:
        return None
    source: Any = tensor._record
    for given, record in zip(args, sources, strict=True):
        if given is tensor:
            source = record
    for position, output in enumerate(outputs):
        if output is tensor and not _among(output, args):
            source = position
    return tensor._array, tensor._counter, tensor._counter[0], source


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a backward that cannot be differentiated itself: doing so raises RuntimeError."""

    @functools.wraps(backward)
    def call(ctx: Any, *gradients: Any) -> Any:
        with GradMode(False):
            results = backward(ctx, *gradients)
        twice = any(isinstance(g, Tensor) and g._record is not None for g in gradients)
        if not twice:
            return results
        message = (
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )
        return refusing(_as_tuple(results), gradients, message)

    return call


def refusing(
    results: Sequence[Tensor | None], sources: Sequence[Tensor], message: str
) -> tuple[Tensor | None, ...]:
    """The results, computed from `sources`: differentiating them raises RuntimeError."""
    return tuple([r if r is None else _Refusal.apply(message, r, *sources) for r in results])


class _Refusal(Function):
    """Passes a result on, and refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, message: str, result: Any, *sources: Any) -> Any:
        """The result as it is."""
        ctx.message = message
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Refuse."""
        raise RuntimeError(ctx.message)
