"""`vmap`: a function of one sample as a function of many, which are computed one by one.

The numbers are those of a loop over the samples, and of PyTorch, which computes them together: this
is not faster than a loop, and the function may look at its numbers, as it may in one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import OBSERVERS, observe
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.ops.indexing import select
from tinygrad_mnist.ops.joining import stack
from tinygrad_mnist.ops.random_in_place import batched_draws
from tinygrad_mnist.ops.shapes import movedim

from . import trees
from .reverse import Function, named_like

InDims = Any


def vmap(
    func: Function, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *,
    chunk_size: int | None = None,
) -> Function:  # fmt: skip
    """The function that computes `func` for each sample of its arguments, and stacks the results.

    `in_dims` says in which dimension of an argument the samples lie, None for one that is the same
    for all, nested as the arguments are; `out_dims` where they come to lie in the results. Random
    numbers are refused unless `randomness` is "different" or "same" for each sample. `chunk_size`
    changes nothing here. Raises ValueError for dimensions that do not fit, RuntimeError where the
    function writes into a tensor that all samples share.

    >>> torch.vmap(torch.dot)(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.ones(2, 2))
    tensor([3., 7.])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    def batched(*args: Any, **kwargs: Any) -> Any:
        if randomness not in ("error", "different", "same"):
            raise RuntimeError(
                "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
                f"{randomness}"
            )
        batch = _Batch(func, in_dims, args)
        return batch.stacked(batch.run(randomness, kwargs), out_dims)

    return named_like(batched, func)


class _Batch:
    """One call: the samples of its arguments."""

    def __init__(self, func: Function, in_dims: InDims, args: tuple[Any, ...]) -> None:
        self.func = func
        self.name = f"vmap({getattr(func, '__name__', repr(func))})"
        self.leaves, self.spec = trees.flatten(args)
        given = tuple(in_dims) if isinstance(in_dims, list) else in_dims
        dims = trees.broadcast(given, self.spec)
        if not isinstance(given, int | tuple) or not args or dims is None:
            raise ValueError(
                f"{self.name}: in_dims={in_dims} should be an int, or a tuple nested as the inputs "
                f"are, of which there are {len(args)}; their structure is {self.spec}"
            )
        self.dims = dims
        sizes = {self._size(x, d) for x, d in zip(self.leaves, dims, strict=True) if d is not None}
        if len(sizes) != 1:
            raise ValueError(
                f"{self.name}: all tensors should have the same size in the mapped dimension, and "
                f"at least one should be mapped over, got sizes {sorted(sizes)}"
            )
        (self.size,) = sizes

    def _size(self, leaf: Any, dim: Any) -> int:
        """How many samples lie in a dimension of an argument; ValueError where none can."""
        if isinstance(dim, int) and isinstance(leaf, Tensor) and -leaf.dim() <= dim < leaf.dim():
            return int(leaf.shape[dim])
        what = f"a Tensor of {leaf.dim()}" if isinstance(leaf, Tensor) else f"a {type(leaf)} of no"
        raise ValueError(
            f"{self.name}: in_dim={dim} for {what} dimensions: it should be one of them, or None"
        )

    def run(self, randomness: str, kwargs: dict[str, Any]) -> list[Any]:
        """What the function returns for each sample; for one of zeros where there is none."""
        results = []
        pairs = zip(self.leaves, self.dims, strict=True)
        writes = _Writes([_memory(x) for x, dim in pairs if dim is not None])
        backward_mode.batches.append(randomness)
        try:
            with observe(writes), batched_draws(self.size, randomness) as draws:
                for number in range(max(self.size, 1)):
                    draws.begin(number)
                    writes.number = number
                    pairs = zip(self.leaves, self.dims, strict=True)
                    sample = [x if d is None else self._sample(x, d, number) for x, d in pairs]
                    results.append(self.func(*trees.unflatten(sample, self.spec), **kwargs))
        finally:
            backward_mode.batches.pop()
        return results

    def _sample(self, leaf: Any, dim: int, number: int) -> Tensor:
        if self.size:
            return select(leaf, dim, number)
        shape = [size for d, size in enumerate(leaf.shape) if d != dim % leaf.dim()]
        return wrap(np.zeros(shape, leaf._array.dtype))

    def stacked(self, results: list[Any], out_dims: Any) -> Any:
        """The results of all samples in one."""
        spec = trees.flatten(results[0])[1]
        dims = trees.broadcast(tuple(out_dims) if isinstance(out_dims, list) else out_dims, spec)
        if dims is None and isinstance(out_dims, tuple) and len(out_dims) == 1:
            dims = trees.broadcast(out_dims[0], spec)
        if dims is None:
            raise ValueError(
                f"{self.name}: out_dims={out_dims} should be an int, or nested as the outputs are: "
                f"{spec}"
            )
        columns = zip(*[trees.flatten(each)[0] for each in results], strict=True)
        pairs = zip(columns, dims, strict=True)
        return trees.unflatten([self._joined(column, dim) for column, dim in pairs], spec)

    def _joined(self, column: tuple[Any, ...], dim: int | None) -> Any:
        first = column[0]
        if dim is None:
            if isinstance(first, Tensor) and any(
                not np.array_equal(first._array, each._array, equal_nan=True) for each in column
            ):
                raise ValueError(f"{self.name}: an output that samples differ in has out_dim None")
            return first
        if not isinstance(first, Tensor):
            raise ValueError(
                f"{self.name}: should return Tensors alone, got {type(first)}; give it the out_dim "
                "None"
            )
        together = stack(list(column))[: self.size]
        return movedim(together, 0, dim) if dim else together


def _memory(tensor: Any) -> Any:
    """The array that owns a tensor's memory."""
    return (tensor if tensor._view is None else tensor._view[0])._array


class _Writes:
    """An observer that refuses writing, in one sample after the other, into the same memory."""

    def __init__(self, own: list[Any]) -> None:
        self.outside: Callable[..., None] | None = OBSERVERS.get(threading.get_ident())
        self.own = {id(array): array for array in own}
        self.written: dict[int, Any] = {}
        self.number = 0

    def __call__(self, op: Any, inputs: tuple[Any, ...], attributes: Any, output: Any) -> None:
        """An operation was called."""
        if self.outside is not None:
            self.outside(op, inputs, attributes, output)
        if not inputs or output is not inputs[0] or output is None:
            return
        array = _memory(output)
        if id(array) in self.own:
            return
        if self.number == 0:
            self.written[id(array)] = array
        elif id(array) in self.written:
            raise RuntimeError(
                "vmap: the function writes in place into a tensor that all samples share: return "
                "what it computes instead, or map over that tensor as well"
            )
