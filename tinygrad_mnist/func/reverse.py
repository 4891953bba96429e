"""Gradients of functions: each call makes variables of the arguments and asks for their gradients.

A variable is a leaf of its own where nobody outside follows the argument, otherwise a view of it
that is recorded: so a transform inside another one is part of what the other one differentiates.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import autograd
from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.modes import enable_grad, is_grad_enabled
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.ops.joining import stack

from . import trees

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]


class Variables:
    """The variables of one call, by which its results are differentiated."""

    def __init__(self, primals: Any) -> None:
        self.recording = is_grad_enabled()
        """Whether somebody outside may differentiate what this call gives."""
        flat, self.spec = trees.flatten(primals)
        self.all = [self._variable(each) for each in flat]
        self.tensors = [each for each in self.all if isinstance(each, Tensor)]
        self._own = {each._record for each in self.tensors if each._record is not None}

    def _variable(self, primal: Any) -> Any:
        if not isinstance(primal, Tensor):
            return primal
        if current_record(primal) is not None:
            with enable_grad():
                return primal.view_as(primal)
        return wrap(primal._array, primal._counter).requires_grad_()

    @property
    def tree(self) -> Any:
        """The variables as the primals were nested."""
        return trees.unflatten(self.all, self.spec)

    def reaches_outside(self, *outputs: Any) -> bool:
        """Whether outputs depend on something that may be differentiated outside."""
        records = [each._record for each in outputs if each._record is not None]
        return any(
            record.primitive is None and record not in self._own
            for record in topological_order(records)
        )

    def closed(self, tree: Any) -> Any:
        """Results as they are seen outside: without a record that ends at the variables."""
        return trees.mapped(self._closed, tree)

    def _closed(self, result: Any) -> Any:
        if not isinstance(result, Tensor) or current_record(result) is None:
            return result
        followed = self.recording and self.reaches_outside(result)
        return result if followed else wrap(result._array, result._counter)

    def gradients(self, outputs: Sequence[Any], vectors: Sequence[Any], create_graph: bool) -> Any:
        """The gradients of the variables, zeros where there are none, nested as they are."""
        pairs = zip(outputs, vectors, strict=True)
        recorded = [pair for pair in pairs if current_record(pair[0]) is not None]
        found: Iterable[Any] = [None] * len(self.tensors)
        if recorded and self.tensors:
            ends, above = zip(*recorded, strict=True)
            found = autograd.grad(ends, self.tensors, above, True, create_graph, allow_unused=True)
        pairs = zip(found, self.tensors, strict=True)
        filled = iter([zeros_like(x) if each is None else each for each, x in pairs])
        flat = [next(filled) if isinstance(each, Tensor) else None for each in self.all]
        return trees.unflatten(flat, self.spec)


def zeros_like(tensor: Any) -> Tensor:
    """Zeros of a tensor's shape and type."""
    return wrap(np.zeros(tensor._array.shape, tensor._array.dtype))


def transformed(
    func: Function, argnums: Argnums, compute: Callable[[Function, Any], Any]
) -> Function:
    """The function of all arguments that gives `compute` of `func` by the chosen ones, and those.

    It has the name and documentation of `func`. RuntimeError for numbers of no argument.
    """
    several = argnums if isinstance(argnums, tuple) else (argnums,)

    def call(*args: Any, **kwargs: Any) -> Any:
        _check_argnums(argnums, len(args))

        def of_chosen(each: Any) -> Any:
            given = list(args)
            for number, one in zip(several, each if several is argnums else (each,), strict=True):
                given[number] = one
            return func(*given, **kwargs)

        primals = tuple([args[number] for number in several])
        return compute(of_chosen, primals if several is argnums else primals[0])

    return named_like(call, func)


def _check_argnums(argnums: Any, count: int) -> None:
    if not isinstance(argnums, int | tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if argnums == ():
        raise RuntimeError("argnums must be non-empty")
    several = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in several:
        if not isinstance(number, int):
            raise RuntimeError(f"argnum must be int, got: {type(number)}")
        if not -count <= number < count:
            raise RuntimeError(f"Got argnum={number}, but only {count} positional inputs")
    if len({number % count for number in several}) != len(several):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")


def with_aux(name: str, output: Any, has_aux: bool) -> tuple[Any, Any]:
    """The output and what comes beside it."""
    if not has_aux:
        return output, None
    if not (isinstance(output, tuple) and len(output) == 2):
        raise RuntimeError(
            f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    for each in trees.flatten(output[1])[0]:
        if not isinstance(each, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(each)}")
    return output


def output_tensors(name: str, output: Any) -> list[Any]:
    """The leaves of an output; RuntimeError where they are no tensors."""
    flat, _ = trees.flatten(output)
    if flat in ([], [None]):
        raise RuntimeError(
            f"{name}: Expected f to be a function that has non-empty output (got output = {output})"
        )
    for each in flat:
        if not isinstance(each, Tensor):
            raise RuntimeError(
                f"{name}: expected f(*primals) to return only tensors, got unsupported type "
                f"{type(each)}"
            )
    return flat


def named_like(wrapper: Function, func: Function) -> Function:
    """`wrapper` with the name and documentation of `func`, where that has them."""
    if inspect.isroutine(func):
        return functools.update_wrapper(wrapper, func)
    return wrapper


def grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The function that gives the gradient of `func`, which returns one number.

    By the arguments `argnums`, which may be nested; with `has_aux`, `func` returns a pair, whose
    second part is given back beside the gradient. Raises RuntimeError for another output.

    >>> torch.func.grad(torch.func.grad(torch.sin))(torch.tensor(0.5))
    tensor(-0.4794)
    """
    both = grad_and_value(func, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return named_like(gradient, func)


def grad_and_value(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The function that gives the gradient of `func` and its value (or value and `aux`).

    >>> torch.func.grad_and_value(lambda x: (x * x).sum())(torch.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """
    name = "grad_and_value(f)(*args)"

    def gradient_and_value(of_chosen: Function, primals: Any) -> Any:
        variables = Variables(primals)
        with enable_grad():
            output, aux = with_aux(name, of_chosen(variables.tree), has_aux)
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    f"{name}: Expected f(*args) to return a Tensor, got {type(output)}"
                )
            if output.dim() != 0:
                raise RuntimeError(
                    f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with "
                    f"{output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            followed = variables.recording and variables.reaches_outside(output)
            found = variables.gradients([output], [None], followed)
        value = variables.closed(output)
        return found, (value, variables.closed(aux)) if has_aux else value

    return transformed(func, argnums, gradient_and_value)


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """The output of `func`, and the function that gives vᵀJ for a v like the output.

    With `has_aux`, `func` returns a pair, whose second part comes last. Raises RuntimeError for
    outputs that are no tensors, and for a v nested in another way.

    >>> output, pull = torch.func.vjp(torch.sin, torch.tensor([0.0, 1.0]))
    >>> pull(torch.ones(2))
    (tensor([1.0000, 0.5403]),)
    """
    variables = Variables(primals)
    with enable_grad():
        output, aux = with_aux("vjp(f, *primals)", func(*variables.tree), has_aux)
    ends = output_tensors("vjp(f, *primals)", output)
    for each in ends:
        if not each.is_floating_point():
            raise RuntimeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                f"Tensor with dtype {each.dtype}"
            )
    spec = trees.flatten(output)[1]

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        vectors, given_spec = trees.flatten(given)
        if given_spec != spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {given_spec}, primal output: {spec}"
            )
        if create_graph is None:
            followed = any(current_record(each) is not None for each in vectors)
            create_graph = is_grad_enabled() and (followed or variables.reaches_outside(*ends))
        return variables.gradients(ends, vectors, create_graph)

    closed = variables.closed(output)
    return (closed, pull, variables.closed(aux)) if has_aux else (closed, pull)


def jacrev(
    func: Function, argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Function:  # fmt: skip
    """The function that gives the Jacobian of `func`, of shape output.shape + input.shape.

    Nested outputs and inputs give nested Jacobians, outputs first. Rows are computed one by one, a
    backward pass each; `chunk_size` says in PyTorch how many at once.

    >>> torch.func.jacrev(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_chunk_size("jacrev", chunk_size)

    def jacobian(of_chosen: Function, primals: Any) -> Any:
        output, pull, *aux = vjp(of_chosen, primals, has_aux=has_aux)
        ends, spec = trees.flatten(output)
        xs, inner = trees.flatten(primals)
        blocks = []
        for number, end in enumerate(ends):
            rows = [
                trees.flatten(pull(trees.unflatten(vectors, spec))[0])[0]
                for vectors in directions(ends, number)
            ]
            columns = [_stacked([row[at] for row in rows], end, x) for at, x in enumerate(xs)]
            blocks.append(trees.unflatten(columns, inner))
        result = trees.unflatten(blocks, spec)
        return (result, aux[0]) if has_aux else result

    return transformed(func, argnums, jacobian)


def check_chunk_size(name: str, chunk_size: int | None) -> None:
    """Raise ValueError for a chunk of no size."""
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"{name}: `chunk_size` should be greater than 0.")


def directions(tensors: Sequence[Any], number: int) -> Iterator[list[Tensor]]:
    """For each element of one of the tensors, zeros like all of them, and there a one."""
    for place in range(tensors[number]._array.size):
        like = [zeros_like(each) for each in tensors]
        like[number]._array.reshape(-1)[place] = 1
        yield like


def _stacked(rows: list[Any], output: Any, input: Any) -> Any:
    """The gradients of each number of an output, as a Jacobian."""
    if not isinstance(input, Tensor):
        return None
    stacked = stack(rows) if rows else stack([zeros_like(input)])[:0]
    return stacked.reshape((*output._array.shape, *input._array.shape))
