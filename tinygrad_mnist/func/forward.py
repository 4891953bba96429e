"""Tangents of functions: each call opens a level of `autograd.forward_ad` of its own."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.autograd.forward_ad import Level, _set_fwd_grad_enabled, unpacked, with_tangent
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.joining import stack

from . import trees
from .reverse import (
    Argnums,
    Function,
    check_chunk_size,
    directions,
    jacrev,
    output_tensors,
    transformed,
    with_aux,
    zeros_like,
)

_NAME = "jvp(f, primals, tangents)"


def _checked(primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
    """The leaves of primals and tangents; PyTorch's errors where they do not fit."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{_NAME}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    (flat, spec), (directions, other) = trees.flatten(primals), trees.flatten(tangents)
    if spec != other:
        raise RuntimeError(
            f"{_NAME}: Expected primals and tangents to have the same python structure. For "
            "example, if primals is a tuple of 3 tensors, tangents also must be. Got primals with "
            f"structure {spec} and tangents with structure {other}"
        )
    for what, leaves in (("primals", flat), ("tangents", directions)):
        if not leaves:
            raise RuntimeError(f"{_NAME}: Expected {what} to contain at least one Tensor.")
        for each in leaves:
            if not isinstance(each, Tensor):
                raise RuntimeError(
                    f"{_NAME}: Expected {what} to only contain Tensors, got {type(each)}"
                )
    return flat, directions


def jvp(
    func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """The output of `func` at the tuple `primals`, and J t for `tangents` like it.

    With `has_aux`, `func` returns a pair, whose second part comes last. Raises RuntimeError for
    what is nested otherwise, and with `strict` for an output that does not depend on the inputs.

    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    flat, directions = _checked(primals, tangents)
    with _set_fwd_grad_enabled(True), Level() as level:
        duals = [with_tangent(level, x, t) for x, t in zip(flat, directions, strict=True)]
        given = trees.unflatten(duals, trees.flatten(primals)[1])
        output, aux = with_aux(_NAME, func(*given), has_aux)
        ends = [unpacked(level, each) for each in output_tensors(_NAME, output)]
        aux = trees.mapped(lambda a: None if a is None else unpacked(level, a)[0], aux)
    if strict and any(tangent is None for _, tangent in ends):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the "
            "inputs. This is not allowed with strict=True."
        )
    spec = trees.flatten(output)[1]
    value = trees.unflatten([primal for primal, _ in ends], spec)
    pushed = trees.unflatten([zeros_like(p) if t is None else t for p, t in ends], spec)
    return (value, pushed, aux) if has_aux else (value, pushed)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """The output of `func`, and the function that gives J t for tangents like `primals`.

    Each call of that function runs `func` once more.

    >>> output, push = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> push(torch.tensor(2.0))
    tensor(2.)
    """

    def push(*tangents: Any) -> Any:
        return jvp(func, primals, tangents)[1]

    return func(*primals), push


def jacfwd(
    func: Function, argnums: Argnums = 0, has_aux: bool = False, *, chunk_size: int | None = None,
    randomness: str = "error",
) -> Function:  # fmt: skip
    """`jacrev` column by column: `func` runs once for each number of the inputs.

    >>> torch.func.jacfwd(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_chunk_size("jacfwd", chunk_size)

    def jacobian(of_chosen: Function, primals: Any) -> Any:
        flat, inner = trees.flatten(primals)

        def of_leaves(*leaves: Any) -> Any:
            return of_chosen(trees.unflatten(leaves, inner))

        columns: list[list[Any]] = []
        for number in range(len(flat)):
            columns.append([])
            for tangents in directions(flat, number):
                output, pushed, *aux = jvp(of_leaves, tuple(flat), tuple(tangents), has_aux=has_aux)
                columns[-1].append(trees.flatten(pushed)[0])
        ends, spec = trees.flatten(output)
        blocks = []
        for at, end in enumerate(ends):
            row = []
            for x, column in zip(flat, columns, strict=True):
                side_by_side = stack([pushed[at] for pushed in column], -1)
                row.append(side_by_side.reshape((*end._array.shape, *x._array.shape)))
            blocks.append(trees.unflatten(row, inner))
        result = trees.unflatten(blocks, spec)
        return (result, aux[0]) if has_aux else result

    return transformed(func, argnums, jacobian)


def hessian(func: Function, argnums: Argnums = 0) -> Function:
    """The function that gives the second derivatives of `func`: forward over reverse.

    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.ones(2))
    tensor([[6., 0.],
            [0., 6.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
