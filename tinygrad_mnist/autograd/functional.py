"""Derivatives of functions: jacobian and hessian, and their products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.ops.joining import stack
from tinygrad_mnist.ops.shapes import reshape
from tinygrad_mnist.record import TensorBase, wrap
from tinygrad_mnist.views import current_record

from .differentiate import grad
from .grad_mode import enable_grad

Tensor = Any
TensorFunction = Callable[..., Any]


def _tuple(given: Any, what: str, function: str) -> tuple[bool, tuple[Any, ...]]:
    several = isinstance(given, tuple)
    tensors = given if isinstance(given, tuple) else (given,)
    for position, tensor in enumerate(tensors):
        if not isinstance(tensor, TensorBase):
            where = f"the value at index {position}" if several else f"the given {what}"
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but "
                f"{where} has type {type(tensor)}."
            )
    return several, tensors


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


def _gradients(
    output: Any, inputs: tuple[Any, ...], vector: Any, strict: bool, create_graph: bool, name: str
) -> tuple[Any, ...]:
    if current_record(output) is None:
        if strict:
            raise RuntimeError(
                "Output 0 of the user-provided function does not require gradients. The outputs "
                "must be computed in a differentiable manner from the input when running in strict "
                f"mode ({name})."
            )
        return tuple([_zeros(x) for x in inputs])
    found = grad(output, inputs, vector, retain_graph=True, create_graph=create_graph,
                 allow_unused=True)  # fmt: skip
    if strict and any(each is None for each in found):
        raise RuntimeError(
            f"The output of the user-provided function is independent of input "
            f"{found.index(None)} in {name}. This is not allowed in strict mode."
        )
    return tuple([_zeros(x) if g is None else g for g, x in zip(found, inputs, strict=True)])


@enable_grad()
def vjp(
    func: TensorFunction, inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The outputs of `func` and the product of `v` with its Jacobian (vector on the left).

    `v` has the shape of the outputs; not needed for a single number.

    >>> import tinygrad_mnist as torch
    >>> torch.autograd.functional.vjp(torch.exp, torch.zeros(2), torch.ones(2))
    (tensor([1., 1.]), tensor([1., 1.]))
    """
    several, xs = _tuple(inputs, "inputs", "vjp")
    leaves = _fresh(xs, create_graph)
    outputs = func(*leaves)
    many, ys = _tuple(outputs, "outputs of the user-provided function", "vjp")
    vectors = _vectors(v, ys, "vjp")
    total = [_zeros(x) for x in leaves]
    for y, vector in zip(ys, vectors, strict=True):
        parts = _gradients(y, leaves, vector, strict, create_graph, "vjp")
        total = [a + b for a, b in zip(total, parts, strict=True)]
    products = _given(tuple(total), create_graph)
    shown = _given(ys, create_graph)
    return shown if many else shown[0], products if several else products[0]


def _vectors(v: Any, like: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    if v is None:
        if len(like) != 1 or like[0]._array.size != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single "
                "Tensor with a single element."
            )
        return (None,)
    _, vectors = _tuple(v, "v", name)
    if len(vectors) != len(like):
        raise RuntimeError(f"v should contain {len(like)} tensors but got {len(vectors)} ({name})")
    for vector, tensor in zip(vectors, like, strict=True):
        if vector._array.shape != tensor._array.shape:
            raise RuntimeError(
                f"v has invalid size: should be {tensor.shape} but got {vector.shape}."
            )
    return vectors


@enable_grad()
def jvp(
    func: TensorFunction, inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The outputs of `func` and the product of its Jacobian with `v` (vector on the right).

    Computed by differentiating the vector-Jacobian product by its vector.

    >>> import tinygrad_mnist as torch
    >>> torch.autograd.functional.jvp(torch.exp, torch.zeros(2), torch.ones(2))[1]
    tensor([1., 1.])
    """
    _, xs = _tuple(inputs, "inputs", "jvp")
    vectors = (
        _vectors(v, xs, "jvp") if v is not None else tuple([wrap(0 * x._array + 1) for x in xs])
    )
    if v is None and (len(xs) != 1 or xs[0]._array.size != 1):
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single "
            "Tensor with a single element."
        )
    leaves = _fresh(xs, create_graph)
    outputs = func(*leaves)
    many, ys = _tuple(outputs, "outputs of the user-provided function", "jvp")
    products = []
    for y in ys:
        probe = _leaf(_zeros(y))
        pulled = _gradients(y, leaves, probe, strict, True, "jvp")
        total = sum(
            [(p * w).sum() for p, w in zip(pulled, vectors, strict=True)], wrap(0 * y._array.sum())
        )
        products.append(_gradients(total, (probe,), None, False, create_graph, "jvp")[0])
    shown = _given(ys, create_graph)
    pushed = _given(tuple(products), create_graph)
    return (shown, pushed) if many else (shown[0], pushed[0])


@enable_grad()
def jacobian(
    func: TensorFunction, inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The derivatives of every output of `func` by every input, shape output.shape + input.shape.

    A tuple of inputs or outputs gives a tuple of Jacobians, outputs first.

    >>> import tinygrad_mnist as torch
    >>> torch.autograd.functional.jacobian(torch.exp, torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    _check_plain(vectorize, strategy)
    several, xs = _tuple(inputs, "inputs", "jacobian")
    leaves = _fresh(xs, create_graph)
    many, ys = _tuple(func(*leaves), "outputs of the user-provided function", "jacobian")
    table = []
    for y in ys:
        rows = [
            _gradients(one, leaves, None, strict, create_graph, "jacobian")
            for one in reshape(y, -1)
        ]
        blocks = tuple(
            [
                reshape(stack([row[i] for row in rows]), y._array.shape + x._array.shape)
                if rows
                else reshape(
                    _zeros(x)[:0] if x.dim() else _zeros(x), y._array.shape + x._array.shape
                )
                for i, x in enumerate(leaves)
            ]
        )
        blocks = _given(blocks, create_graph)
        table.append(blocks if several else blocks[0])
    return tuple(table) if many else table[0]


def _check_plain(vectorize: bool, strategy: str) -> None:
    if vectorize or strategy != "reverse-mode":
        raise NotImplementedError(
            "vectorize=True and forward mode are not supported: leave both arguments out"
        )


def hessian(
    func: TensorFunction, inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of `func`, which returns one number, by every pair of inputs.

    >>> import tinygrad_mnist as torch
    >>> torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.ones(2))
    tensor([[6., 0.],
            [0., 6.]])
    """
    several, xs = _tuple(inputs, "inputs", "hessian")

    def slopes(*tensors: Any) -> Any:
        value = _one_number(func(*tensors), "hessian")
        return _gradients(value, tensors, None, strict, True, "hessian")

    blocks = jacobian(slopes, xs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return blocks if several else blocks[0][0]


def _one_number(output: Any, name: str) -> Any:
    if not isinstance(output, TensorBase):
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if output._array.size != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    return reshape(output, ())


def hvp(
    func: TensorFunction, inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The value of `func` and the product of its Hessian with `v`, without the Hessian itself.

    >>> import tinygrad_mnist as torch
    >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), torch.ones(2), torch.ones(2))[1]
    tensor([6., 6.])
    """
    several, xs = _tuple(inputs, "inputs", "hvp")
    vectors = _vectors(v, xs, "hvp")
    with enable_grad():
        leaves = _fresh(xs, create_graph)
        value = _one_number(func(*leaves), "hvp")
        slopes = _gradients(value, leaves, None, strict, True, "hvp")
        total = wrap(0 * value._array)
        for slope, vector in zip(slopes, vectors, strict=True):
            total = total + (slope if vector is None else slope * vector).sum()
        products = _given(_gradients(total, leaves, None, False, create_graph, "hvp"), create_graph)
    shown = value if create_graph else value.detach()
    return shown, products if several else products[0]


def vhp(
    func: TensorFunction, inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """`hvp` with the vector on the left: the same numbers, since a Hessian is symmetric."""
    return hvp(func, inputs, v, create_graph, strict)
