"""Asking for gradients: `backward` adds them up in the leaves, `grad` returns them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from tinygrad_mnist.engine.backward_pass import held_once_more, run_backward
from tinygrad_mnist.engine.hooks import Gradient
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.node import Record, count_outputs
from tinygrad_mnist.engine.observer import OBSERVERS, constant, report
from tinygrad_mnist.engine.outputs import output_record
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.unbroadcast import unbroadcast
from tinygrad_mnist.engine.views import current_record

from .graph import Engine, GradientEdge, record_at


def _start_at(given: GradientEdge, gradient: Any) -> tuple[Record, Gradient]:
    """Where the backward pass from an edge starts, and with what."""
    outputs = count_outputs(given.node)
    if gradient is None:
        if outputs > 1 or np.prod(given.node.shape) != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        gradient = wrap(np.ones(given.node.shape, given.node.dtype))
    elif outputs == 1 and gradient._array.shape != given.node.shape:
        raise _shapes_differ(0, gradient._array.shape, given.node.shape)
    record = given.node
    if outputs > 1:
        record = output_record(record, gradient._array, given.output_nr, outputs)
    return record, gradient


def _start_of(
    tensor: Any, gradient: Any, position: int, create_graph: bool
) -> tuple[Record, Gradient]:
    """Where the backward pass from `tensor` starts, and with what: `gradient`, checked."""
    if isinstance(tensor, GradientEdge):
        start, gradient = _start_at(tensor, gradient)
        return start, gradient if create_graph or backward_mode.on_tensors else gradient._array
    if not isinstance(tensor, Tensor):
        raise AssertionError(f"Expected output to be a Tensor, not {type(tensor).__name__}")
    record = current_record(tensor)
    array, as_tensor = tensor._array, create_graph or backward_mode.on_tensors
    if gradient is None and record is not None and array.size != 1:
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    if gradient is not None and gradient._array.shape != array.shape:
        raise _shapes_differ(position, gradient._array.shape, array.shape)
    if record is None or tensor._record is None:
        raise RuntimeError(
            f"element {position} of tensors does not require grad and does not have a grad_fn"
        )
    if gradient is None:
        ones = np.empty(array.shape, array.dtype)
        ones.fill(1)
        if not as_tensor:
            return record, ones
        gradient = wrap(ones)
        if OBSERVERS:
            report(constant, (), {}, gradient)
    reduced = unbroadcast(gradient, record)
    return record, reduced if as_tensor else reduced._array


def _shapes_differ(position: int, have: Any, want: Any) -> RuntimeError:
    """The error for a gradient of another shape than what it is a gradient of."""
    return RuntimeError(
        f"Mismatch in shape: grad_output[{position}] has a shape of torch.Size({list(have)}) and "
        f"output[{position}] has a shape of torch.Size({list(want)})."
    )


def _sequence(given: Any) -> tuple[Any, ...]:
    return (given,) if isinstance(given, Tensor | GradientEdge) else tuple(given)


def _starts(roots: Any, gradients: Any, create_graph: bool) -> list[Any]:
    if gradients is None and isinstance(roots, Tensor):
        return [_start_of(roots, None, 0, create_graph)]
    tensors = _sequence(roots)
    given = (None,) * len(tensors) if gradients is None else _sequence(gradients)
    for gradient in given:
        if gradient is not None and not isinstance(gradient, Tensor):
            raise TypeError(
                f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
            )
    if len(given) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(given)} gradients")
    return [
        _start_of(tensor, gradient, position, create_graph)
        for position, (tensor, gradient) in enumerate(zip(tensors, given, strict=True))
    ]


def _records(inputs: tuple[Any, ...], starts: list[Any]) -> list[Record]:
    """The records of what is to be differentiated by; RuntimeError where there is none."""
    records = []
    for tensor in inputs:
        if isinstance(tensor, GradientEdge):
            records.append(record_at(tensor, [record for record, _ in starts]))
            continue
        if not isinstance(tensor, Tensor):
            raise RuntimeError(
                f"all inputs have to be Tensors or GradientEdges, but got {type(tensor).__name__}"
            )
        record = current_record(tensor)
        if record is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        records.append(record)
    return records


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: None = None,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of `tensors` to the `.grad` of the leaves (or only of `inputs`).

    `grad_tensors` are the gradients to start from, of the tensors' shapes; not needed for
    scalars. `retain_graph` (default: `create_graph`) keeps saved values for another call;
    `create_graph` records the backward pass, so that gradients can be differentiated again. Raises
    RuntimeError for a tensor without record, a non-scalar without gradient, saved values that
    are gone, or values changed in place since they were saved.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.backward(x * x)
    >>> x.grad
    tensor(6.)
    """
    if inputs is not None and not len(targets := _sequence(inputs)):
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    starts = _starts(tensors, grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    if create_graph:
        warnings.warn(
            "Using backward() with create_graph=True will create a reference cycle between the "
            "parameter and its gradient which can cause a memory leak. We recommend using "
            "autograd.grad when creating the graph to avoid this. If you have to use this "
            "function, make sure to reset the .grad fields of your parameters to None after use "
            "to break the cycle and avoid the leak.",
            UserWarning,
            stacklevel=3,
        )
    if inputs is None:
        run_backward(starts, keep_graph=keep, create_graph=create_graph)
        return
    only = set()
    for tensor in targets:
        if isinstance(tensor, Tensor):
            tensor.retain_grad()
        only.update(_records((tensor,), starts))
    run_backward(starts, keep_graph=keep, create_graph=create_graph, inputs=only)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False, materialize_grads: bool = False,
) -> tuple[Tensor, ...]:  # fmt: skip
    """The gradients of the sum of `outputs` with respect to `inputs`, leaves or not.

    `.grad` is left alone. An input that the outputs do not depend on raises RuntimeError, gives
    None with `allow_unused`, zeros with `materialize_grads`. The rest is as in `backward`.

    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> (slope,) = torch.autograd.grad(x**3, x, create_graph=True)
    >>> torch.autograd.grad(slope, x)
    (tensor(12.),)
    """
    _check_options(only_inputs, materialize_grads, allow_unused)
    wanted = _sequence(inputs)
    if is_grads_batched:
        options = (retain_graph, create_graph, allow_unused, materialize_grads)
        return _batched(outputs, wanted, grad_outputs, *options)
    if not wanted:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    starts = _starts(outputs, grad_outputs, create_graph)
    records = _records(wanted, starts)
    keep = create_graph if retain_graph is None else retain_graph
    arrived = run_backward(
        starts, keep_graph=keep, create_graph=create_graph, inputs=set(records), accumulate=False
    )
    results: list[Any] = []
    for position, (record, tensor) in enumerate(zip(records, wanted, strict=True)):
        if record in arrived:
            results.append(arrived[record] if create_graph else _owned(arrived[record]))
        elif materialize_grads:
            if isinstance(tensor, GradientEdge):
                raise RuntimeError(
                    "materialize_grads cannot be used when the given input is a GradientEdge"
                )
            zeros = wrap(np.zeros(tensor._array.shape, tensor._array.dtype))
            results.append(zeros.requires_grad_(create_graph))
        elif allow_unused:
            results.append(None)
        else:
            _refuse_unused(position)
    return tuple(results)


def _batched(
    outputs: Any, inputs: tuple[Any, ...], grad_outputs: Any, retain_graph: bool | None,
    create_graph: bool, allow_unused: bool | None, materialize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients for each of the gradients from above, stacked: a backward pass for each."""
    from tinygrad_mnist.ops.joining import stack

    columns = [() if each is None else each.unbind() for each in _sequence(grad_outputs)]
    for at, (output, above) in enumerate(
        zip(_sequence(outputs), _sequence(grad_outputs), strict=True)
    ):
        if above is not None and above.shape[1:] != output.shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output "
                "as the batch dimension. The sizes of the remaining dimensions are expected to "
                "match the shape of corresponding output, but a mismatch was detected: "
                f"grad_output[{at}] has a shape of {above.shape} and output[{at}] has a shape of "
                f"{output.shape}."
            )
    size = max(map(len, columns))
    rows = []
    for at in range(size):
        above = [column[at] if column else None for column in columns]
        keep = bool(retain_graph) or create_graph or at < size - 1
        rows.append(
            grad(outputs, inputs, above, keep, create_graph, True, allow_unused, False, materialize)
        )
    return tuple([None if of[0] is None else stack(of)
                  for of in zip(*rows, strict=True)])  # fmt: skip


def _check_options(only_inputs: bool, materialize: bool, allow_unused: bool | None) -> None:
    """Raise PyTorch's ValueError for options of `grad` that contradict each other."""
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To "
            "accumulate gradient for other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=3,
        )
    if materialize and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )


def _owned(gradient: Gradient) -> Any:
    """A gradient as a Tensor with memory of its own: a copy where somebody else has it, too."""
    if held_once_more(gradient):
        return wrap(gradient)
    return wrap(gradient.copy("K")) if isinstance(gradient, np.ndarray) else gradient.clone()


def _refuse_unused(position: int) -> NoReturn:
    raise RuntimeError(
        f"The differentiated Tensor at index {position} appears to not have been used in the "
        "graph. Set allow_unused=True if this is the desired behavior."
    )


class _AnyTensor(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_AnyTensor):
    """`Variable(data)` is a tensor that shares the memory of `data`, and has no record.

    Raises TypeError for data that is no tensor.

    >>> torch.autograd.Variable(torch.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    >>> isinstance(torch.ones(2), torch.autograd.Variable)
    True
    """

    _execution_engine = Engine()

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: bool = False) -> Any:
        """The tensor; the class itself has no instances of its own."""
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                stacklevel=2,
            )
        if data is None:
            return wrap(np.empty(0, np.float32)).requires_grad_(requires_grad)
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return wrap(data._array, data._counter).requires_grad_(requires_grad)
