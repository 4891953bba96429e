"""Operations of one's own: a forward and a backward, written as two static methods."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist.core.backward_pass import broadcasts
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.hooks import Bundle
from tinygrad_mnist.engine.modes import GradMode, backward_mode
from tinygrad_mnist.engine.node import PACKED, Packed, Record, freed_error, make_record
from tinygrad_mnist.engine.observer import report
from tinygrad_mnist.engine.outputs import only_recorded, output_record, share_record
from tinygrad_mnist.engine.saved_tensors import changed_by, version_error
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.unbroadcast import unbroadcast
from tinygrad_mnist.engine.views import OF_A_FUNCTION, current_record, mark_view
from tinygrad_mnist.ops.indexing import select
from tinygrad_mnist.ops.shapes import unsqueeze
from tinygrad_mnist.ops.views import rebase

from .function_tangents import Tangents


class FunctionCtx:
    """What forward and backward share: saved tensors, and any attribute forward sets on it."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    _materialize_non_diff_grads = True
    _to_save: tuple[Tensor | None, ...] = ()
    _saved: tuple[Any, ...] | None = ()
    _dirty: tuple[Tensor, ...] = ()
    _constant: tuple[Tensor, ...] = ()
    _node: Record | None = None
    _for_forward: tuple[Tensor | None, ...] = ()
    _pushing = False
    """Whether `jvp` runs, which finds in `saved_tensors` what was saved for it."""

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
        if self._pushing:
            return self._for_forward
        if self._saved is None:
            raise freed_error()
        return tuple([None if kept is None else self._unpack(*kept) for kept in self._saved])

    def _unpack(self, kept: Any, counter: list[int], version: int, source: Any) -> Tensor:
        if counter is PACKED:
            opened: Tensor = kept.open()
            if source is None:
                return opened
            kept, counter, version = opened._array, opened._counter, opened._counter[0]
        array = kept._array if isinstance(kept, Tensor) else kept
        if counter[0] != version:
            origin = self._node
            if isinstance(source, Record):
                origin = changed_by(array, counter) or source
            raise version_error(array, counter[0], version, origin)
        if isinstance(kept, Tensor):
            return kept
        tensor = wrap(array, counter)
        if isinstance(source, Record):
            tensor._record = source
        elif source is not None and self._node is not None:
            tensor._record = _output_record(self._node, array, source)
        return tensor

    @property
    def saved_variables(self) -> tuple[Tensor | None, ...]:
        """`saved_tensors` by its old name."""
        warnings.warn(
            "'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2
        )
        return self.saved_tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs for `jvp`, which finds them in `saved_tensors`."""
        self._for_forward = tensors

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
    outputs = len(node.attributes["outputs"])
    return node if outputs == 1 else output_record(node, array, position, outputs)


def _run_backward(record: Record, gradient: Any) -> list[Any]:
    """The gradients of a Function's inputs: its backward, called with Tensors."""
    function, ctx = record.attributes["function"], record.attributes["ctx"]
    given = gradient if isinstance(gradient, Bundle) else {0: gradient}
    as_tensors = any(isinstance(each, Tensor) for each in given.values())
    arguments = []
    for position, kind in enumerate(record.attributes["outputs"]):
        each = given.get(position)
        if each is None and kind is not None and ctx.materialize_grads:
            each = np.zeros(*kind)
        arguments.append(wrap(each) if isinstance(each, np.ndarray) else each)
    ctx._node = record
    try:
        with GradMode(as_tensors and state.grad_enabled):
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


FUNCTION = only_recorded(_run_backward)
"""What observers are told that a Function's call was; what forward computes they hear of itself."""


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

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Compute the tangents of the outputs by those of the inputs; to be overridden."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    generate_vmap_rule = False
    """Accepted: without a `vmap` of its own a Function is called for each sample in any case."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Compute the outputs of a batch, and the dimensions of its samples in them.

        To be overridden or not: `torch.vmap` calls it for each sample, as a batch of one.
        """
        raise NotImplementedError

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward on `args` and record the call.

        Arguments by name, and defaults, count among the inputs where there is a `setup_context`.
        """
        if backward_mode.batches and cls.vmap is not Function.vmap:
            return _batch_of_one(cls, args)
        ctx = FunctionCtx()
        with_context = cls.setup_context is Function.setup_context
        if not with_context:
            args = _all_arguments(cls.forward, args, kwargs)
            kwargs = {}
        sources = tuple([current_record(a) if isinstance(a, Tensor) else None for a in args])
        ctx.needs_input_grad = tuple([source is not None for source in sources])
        recording = state.grad_enabled and any(ctx.needs_input_grad)
        tangents = Tangents(cls, ctx, args) if backward_mode.levels else None
        with GradMode(False), nullcontext() if tangents is None else tangents.unseen():
            if with_context:
                outputs = cls.forward(ctx, *args, **kwargs)
            else:
                outputs = cls.forward(*args)
                cls.setup_context(ctx, args, outputs)
        given = _as_tuple(outputs)
        _count_changes(ctx, args, given, recording)
        results = tuple([_own(output, args, ctx) for output in given])
        if tangents is not None:
            tangents.note(given)
        if recording:
            _record_outputs(cls, ctx, args, sources, given, results)
            if backward_mode.vjp is not None or backward_mode.walk is not None:
                report(FUNCTION, args, {}, next(r for r in results if isinstance(r, Tensor)))
        if tangents is not None:
            tangents.push(results)
        return results if isinstance(outputs, tuple) else results[0]


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told of the batch."""

    batch_size: int
    randomness: str


def _batch_of_one(function: type[Function], args: tuple[Any, ...]) -> Any:
    """What a Function's own `vmap` gives for the sample at hand."""
    vmap = f"You tried to vmap over {function.__name__}, but"
    if function.generate_vmap_rule:
        raise RuntimeError(
            f"{vmap} it has both generate_vmap_rule=True and an overridden vmap staticmethod: "
            "set generate_vmap_rule=False or delete the vmap staticmethod."
        )
    dims = tuple([0 if isinstance(each, Tensor) else None for each in args])
    batch = [unsqueeze(each, 0) if isinstance(each, Tensor) else each for each in args]
    randomness = backward_mode.batches.pop()
    try:
        returned = function.vmap(VmapInfo(1, randomness), dims, *batch)
    finally:
        backward_mode.batches.append(randomness)
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise RuntimeError(f"{vmap} its vmap staticmethod does not return (outputs, out_dims)")
    outputs, out_dims = returned
    given = _as_tuple(outputs)
    spread = out_dims if isinstance(out_dims, tuple) else (out_dims,) * len(given)
    pairs = zip(given, spread, strict=True)
    alone = tuple([each if dim is None else select(each, dim, 0) for each, dim in pairs])
    return alone if isinstance(outputs, tuple) else alone[0]


def _all_arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """The arguments by position, defaults among them; TypeError where they do not fit."""
    import inspect

    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args


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
        mark_view(output, given, FUNCTION, {})
    if output._view is not None:
        base, _, steps, _ = output._view
        output._view = (base, output._counter[0], steps, OF_A_FUNCTION)
    return output


_NOT_AN_INPUT = (
    "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been "
    "mutated should be passed to ctx.mark_dirty()."
)
_CHANGES_A_VIEW = (
    "If your Function modifies inplace an input that is a view of another Tensor, your Function "
    "cannot return more than one Tensor. This is not supported by the current autograd engine. You "
    "should either make sure the input is not a view (using .clone() for example) or make your "
    "Function only return one Tensor (potentially splitting it into two Functions: one doing the "
    "inplace that returns a single Tensor and a second one that does the other operations)."
)


def _count_changes(
    ctx: FunctionCtx, args: Sequence[Any], outputs: Sequence[Any], recording: bool
) -> None:
    """Raise the versions of the inputs that forward changed; RuntimeError where it must not."""
    for dirty in ctx._dirty:
        if not _among(dirty, outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )
        if not _among(dirty, args):
            warnings.warn(_NOT_AN_INPUT, UserWarning, stacklevel=3)
        elif dirty._view is not None and len(outputs) > 1 and recording:
            raise RuntimeError(_CHANGES_A_VIEW)
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
    hidden = () if ctx._materialize_non_diff_grads else constant
    kinds = [
        (r._array.shape, r._array.dtype) if isinstance(r, Tensor) and id(o) not in hidden else None
        for o, r in zip(outputs, results, strict=True)
    ]
    attributes = {
        "function": cls, "ctx": ctx, "outputs": kinds,
        "tensors": [isinstance(given, Tensor) for given in args],
    }  # fmt: skip
    name = Record.named(f"{cls.__name__}Backward")
    node = make_record(FUNCTION, sources, tensors[0]._array, (), attributes, name)
    ctx._saved = tuple(
        [kept_for_backward(tensor, ctx, args, sources, outputs) for tensor in ctx._to_save]
    )
    ctx._to_save = ctx._dirty = ctx._constant = ()
    for position, (output, result) in enumerate(zip(outputs, results, strict=True)):
        differentiable = isinstance(result, Tensor) and result.is_floating_point()
        if differentiable and id(output) not in constant:
            newer = _output_record(node, result._array, position)
            if _among(result, args):
                rebase(result, newer)
            else:
                result._record = newer


def kept_for_backward(
    tensor: Any,
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    sources: tuple[Record | None, ...],
    outputs: Sequence[Any],
) -> Any:
    """What is kept of a saved tensor: itself, version and source; of an output, its array alone."""
    if tensor is None:
        return None
    source: Any = tensor._record
    for given, record in zip(args, sources, strict=True):
        if given is tensor:
            source = record
    for position, output in enumerate(outputs):
        if output is tensor and not _among(output, args):
            source = position
    if backward_mode.packing:
        alone = tensor if tensor._record is None else wrap(tensor._array, tensor._counter)
        return Packed(alone, *backward_mode.packing[-1]), PACKED, 0, source
    is_output = source.__class__ is int or _among(tensor, ctx._dirty)
    kept = tensor._array if is_output else tensor
    return kept, tensor._counter, tensor._counter[0], source


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
    results: Sequence[Tensor | None],
    sources: Sequence[Tensor],
    message: str,
    behind: tuple[Record | None, ...] = (),
) -> tuple[Tensor | None, ...]:
    """The results, computed from `sources`: differentiating them raises RuntimeError.

    So it is if the gradients of what lies `behind` them are asked for.
    """
    if not any(behind) and not any(
        isinstance(each, Tensor) and each._record is not None for each in sources
    ):
        return tuple(results)
    own = [None if r is None else wrap(r._array).requires_grad_() for r in results]
    inputs = (*[None if tensor is None else tensor._record for tensor in own], *behind)
    given = [tensor for tensor in own if tensor is not None]
    share_record(_ERROR, inputs, given, {"message": message}, "Error")
    return tuple(own)


def _refuse(record: Record, gradient: Any) -> list[Any]:
    raise RuntimeError(record.attributes["message"])


_ERROR = only_recorded(_refuse)
