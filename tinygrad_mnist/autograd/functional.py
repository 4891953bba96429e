"""Derivatives of functions: jacobian and hessian, and their products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinygrad_mnist.engine.modes import enable_grad
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.ops.joining import stack
from tinygrad_mnist.ops.shapes import reshape

from .gradients import grad

Tensors: TypeAlias = Tensor | tuple[Tensor, ...]
TensorFunction: TypeAlias = Callable[..., Tensors]
_OUTPUTS = "outputs of the user-provided function"


def _tuple(given: Any, what: str, function: str) -> tuple[bool, tuple[Any, ...]]:
    several = isinstance(given, tuple)
    tensors = given if isinstance(given, tuple) else (given,)
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            where = f"the value at index {position}" if several else f"the given {what}"
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but "
                f"{where} has type {type(tensor)}."
            )
    return several, tensors


def _called(
    func: TensorFunction, inputs: Tensors, name: str, create_graph: bool, strict: bool
) -> tuple[bool, tuple[Any, ...], bool, tuple[Any, ...]]:
    """What to differentiate by, and the outputs of `func` on it; whether each was a tuple."""
    several, xs = _tuple(inputs, "inputs", name)
    leaves = _fresh(xs, create_graph)
    many, ys = _tuple(func(*leaves), _OUTPUTS, name)
    _check_differentiable(ys, strict)
    return several, leaves, many, ys


def _fresh(inputs: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    """Tensors to differentiate by: views of the inputs with `create_graph`, else new leaves."""
    if create_graph:
        return tuple([x.view_as(x) if x.requires_grad else _leaf(x) for x in inputs])
    return tuple([_leaf(x) for x in inputs])


def _leaf(tensor: Any) -> Any:
    return wrap(tensor._array, tensor._counter).requires_grad_()


def _zeros(tensor: Any) -> Any:
    return wrap(np.zeros(tensor._array.shape, tensor._array.dtype))


def _given(results: Any, create_graph: bool) -> Any:
    return results if create_graph else tuple([result.detach() for result in results])


_FLAT = (
    "The jacobian of the user-provided function is independent of input {}. This is not allowed "
    "in strict mode when create_graph=True."
)
_FLAT_SLOPES = (
    "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {} is independent of the input. This is not allowed in strict mode. You "
    "should ensure that your function is twice differentiable and that the jacobian depends on the "
    "inputs (this would be violated by a linear function for example)."
)


def _check_differentiable(outputs: tuple[Any, ...], strict: bool) -> None:
    for number, output in enumerate(outputs):
        if strict and current_record(output) is None:
            raise RuntimeError(
                f"Output {number} of the user-provided function does not require gradients. The "
                "outputs must be computed in a differentiable manner from the input when running "
                "in strict mode."
            )


def _gradients(
    outputs: tuple[Any, ...], inputs: tuple[Any, ...], vectors: tuple[Any, ...], strict: bool,
    create_graph: bool, source: str | None = "The output", flat: str = _FLAT,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of all inputs, zeros where there are none.

    In strict mode RuntimeError for an input on which `source` does not depend (None: which is told
    by `flat`), and by `flat` for a gradient that is recorded but depends on nothing.
    """
    recorded = [pair for pair in zip(outputs, vectors, strict=True) if current_record(pair[0])]
    if not recorded:
        return tuple([_zeros(x) for x in inputs])
    ends, above = zip(*recorded, strict=True)
    found: tuple[Any, ...] = grad(ends, inputs, above, retain_graph=True, create_graph=create_graph,
                 allow_unused=True)  # fmt: skip
    for number, gradient in enumerate(found if strict else ()):
        if gradient is None and source is not None:
            raise RuntimeError(
                f"{source} of the user-provided function is independent of input {number}. This is "
                "not allowed in strict mode."
            )
        if gradient is None or (create_graph and not gradient.requires_grad):
            raise RuntimeError(flat.format(number))
    return tuple([_zeros(x) if g is None else g for g, x in zip(found, inputs, strict=True)])


@enable_grad()
def vjp(
    func: TensorFunction, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:  # fmt: skip
    """The outputs of `func` and the product of `v` with its Jacobian (vector on the left).

    `v` has the shape of the outputs; not needed for a single number.

    >>> torch.autograd.functional.vjp(torch.exp, torch.zeros(2), torch.ones(2))
    (tensor([1., 1.]), tensor([1., 1.]))
    """
    several, leaves, many, ys = _called(func, inputs, "vjp", create_graph, strict)
    vectors = _vectors(v, ys, "vjp", many)
    products = _given(_gradients(ys, leaves, vectors, strict, create_graph), create_graph)
    shown = _given(ys, create_graph)
    return shown if many else shown[0], products if several else products[0]


def _vectors(v: Any, like: tuple[Any, ...], name: str, several: bool) -> tuple[Any, ...]:
    if v is None:
        if len(like) != 1 or like[0]._array.size != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single "
                "Tensor with a single element."
            )
        return (None,)
    _, vectors = _tuple(v, "v", name)
    if len(vectors) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}."
            if several
            else "The given v should contain a single Tensor."
        )
    for vector, tensor in zip(vectors, like, strict=True):
        if vector._array.shape != tensor._array.shape:
            raise RuntimeError(
                f"v has invalid size: should be {tensor.shape} but got {vector.shape}."
            )
    return vectors


@enable_grad()
def jvp(
    func: TensorFunction, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:  # fmt: skip
    """The outputs of `func` and the product of its Jacobian with `v` (vector on the right).

    Computed by differentiating the vector-Jacobian product by its vector.

    >>> torch.autograd.functional.jvp(torch.exp, torch.zeros(2), torch.ones(2))[1]
    tensor([1., 1.])
    """
    several, xs = _tuple(inputs, "inputs", "jvp")
    if v is not None:
        vectors = _vectors(v, xs, "jvp", several)
    elif len(xs) == 1 and xs[0]._array.size == 1:
        vectors = (wrap(0 * xs[0]._array + 1),)
    else:
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single "
            "Tensor with a single element."
        )
    _, leaves, many, ys = _called(func, inputs, "jvp", create_graph, strict)
    products: list[Any] = []
    for y in ys:
        probe = _leaf(_zeros(y))
        pulled = _gradients((y,), leaves, (probe,), strict, True)
        total = sum(
            [(p * w).sum() for p, w in zip(pulled, vectors, strict=True)], wrap(0 * y._array.sum())
        )
        products += _gradients((total,), (probe,), (None,), strict, create_graph)
    shown = _given(ys, create_graph)
    pushed = _given(tuple(products), create_graph)
    return (shown, pushed) if many else (shown[0], pushed[0])


@enable_grad()
def jacobian(
    func: TensorFunction, inputs: Tensors, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Tensor | tuple[Any, ...]:  # fmt: skip
    """The derivatives of every output of `func` by every input, shape output.shape + input.shape.

    A tuple of inputs or outputs gives a tuple of Jacobians, outputs first. `vectorize` and
    `strategy` are PyTorch's ways to be faster: here rows are computed one by one in any case.

    >>> torch.autograd.functional.jacobian(torch.exp, torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    _check_strategy(strategy, vectorize, strict, create_graph)
    several, leaves, many, ys = _called(func, inputs, "jacobian", create_graph, strict)
    table = []
    for number, y in enumerate(ys):
        source = f"Output {number}"
        rows = [
            _gradients((one,), leaves, (None,), strict, create_graph, source)
            for one in reshape(y, -1)
        ]
        blocks = tuple([_stacked([row[i] for row in rows], y, x) for i, x in enumerate(leaves)])
        blocks = _given(blocks, create_graph)
        table.append(blocks if several else blocks[0])
    return tuple(table) if many else table[0]


def _stacked(rows: list[Any], y: Any, x: Any) -> Any:
    """The gradients of each number of `y`, as a Jacobian by `x`."""
    stacked = stack(rows) if rows else stack([_zeros(x)])[:0]
    return reshape(stacked, y._array.shape + x._array.shape)


def _check_strategy(strategy: str, vectorize: bool, strict: bool, create_graph: bool) -> None:
    """Raise PyTorch's errors for arguments that do not go together."""
    name = "torch.autograd.functional.jacobian"
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        instead = 'or `strategy="reverse-mode"`.'
        together = 'and `strategy="forward-mode"` are not supported together (yet). Please either'
        if create_graph:
            raise NotImplementedError(
                f"{name}: `create_graph=True` {together} set `create_graph=False` {instead}"
            )
        if strict:
            raise RuntimeError(f"{name}: `strict=True` {together} set `strict=False` {instead}")
        if not vectorize:
            raise NotImplementedError(
                "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only "
                "implemented for `vectorize=True`."
            )
    elif vectorize and strict:
        raise RuntimeError(
            f"{name}: `strict=True` and `vectorized=True` are not supported together. Please "
            "either set `strict=False` or `vectorize=False`."
        )


def hessian(
    func: TensorFunction, inputs: Tensors, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Tensor | tuple[Any, ...]:  # fmt: skip
    """The second derivatives of `func`, which returns one number, by every pair of inputs.

    >>> torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.ones(2))
    tensor([[6., 0.],
            [0., 6.]])
    """
    several, xs = _tuple(inputs, "inputs", "hessian")

    def slopes(*tensors: Tensor) -> tuple[Tensor, ...]:
        value = _one_number(func(*tensors), "hessian", strict)
        return _gradients((value,), tensors, (None,), strict, True, None, _FLAT_SLOPES)

    blocks = jacobian(slopes, xs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return blocks if several else blocks[0][0]


def _one_number(output: Any, name: str, strict: bool) -> Any:
    several, _ = _tuple(output, _OUTPUTS, name)
    if several:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    _check_differentiable((output,), strict)
    if output._array.size != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    return reshape(output, ())


def hvp(
    func: TensorFunction, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:  # fmt: skip
    """The value of `func` and the product of its Hessian with `v`, without the Hessian itself.

    >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), torch.ones(2), torch.ones(2))[1]
    tensor([6., 6.])
    """
    return _hvp("hvp", func, inputs, v, create_graph, strict)


def vhp(
    func: TensorFunction, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:  # fmt: skip
    """`hvp` with the vector on the left: the same numbers, since a Hessian is symmetric."""
    return _hvp("vhp", func, inputs, v, create_graph, strict)


def _hvp(
    name: str, func: TensorFunction, inputs: Tensors, v: Tensors | None, create_graph: bool,
    strict: bool,
) -> tuple[Tensors, Tensors]:  # fmt: skip
    several, xs = _tuple(inputs, "inputs", name)
    vectors = _vectors(v, xs, name, several)
    with enable_grad():
        leaves = _fresh(xs, create_graph)
        output: Any = func(*leaves)
        value = _one_number(output, name, strict)
        slopes = _gradients((value,), leaves, (None,), strict, True, flat=_FLAT_SLOPES)
        total = wrap(0 * value._array)
        for slope, vector in zip(slopes, vectors, strict=True):
            total = total + (slope if vector is None else slope * vector).sum()
        products = _given(_gradients((total,), leaves, (None,), False, create_graph), create_graph)
    shown = output if create_graph else output.detach()
    return shown, products if several else products[0]
