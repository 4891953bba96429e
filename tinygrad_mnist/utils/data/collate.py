"""Making a batch of samples: tensors stacked, numbers gathered, containers gone through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor, as_tensor, tensor
from tinygrad_mnist.ops.arranging import stack

_COLLATE_ERROR = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def _is_text(array: Any) -> bool:
    return array.dtype.kind in "SUO"


def _rebuilt(original: Any, values: Any) -> Any:
    """A container of `original`'s kind with new values, a plain one where its kind refuses."""
    plain = dict(values) if isinstance(original, Mapping) else list(values)
    try:
        if isinstance(original, MutableMapping):
            mapping = copy.copy(original)
            mapping.update(plain)
            return mapping
        if isinstance(original, MutableSequence):
            sequence = copy.copy(original)
            for position, value in enumerate(plain):
                sequence[position] = value
            return sequence
        return type(original)(plain)
    except TypeError:
        return plain


def default_convert(data: Any) -> Any:
    """A sample with its NumPy arrays and scalars made tensors, in the containers they are in.

    >>> import numpy as np
    >>> import tinygrad_mnist as torch
    >>> torch.utils.data.default_convert({"x": np.array([1, 2])})
    {'x': tensor([1, 2])}
    """
    if isinstance(data, np.ndarray | np.generic):
        return data if _is_text(data) else as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, [(key, default_convert(data[key])) for key in data])
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*[default_convert(each) for each in data])
    if isinstance(data, tuple):
        return [default_convert(each) for each in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _rebuilt(data, [default_convert(each) for each in data])
    return data


def default_collate(batch: Any) -> Any:
    """A list of samples made one batch, with a first dimension for the samples.

    Tensors are stacked; NumPy arrays and numbers become tensors (Python's floats float64);
    strings stay a list; dicts, tuples and lists are gone through. Raises TypeError for other
    kinds, RuntimeError when the samples do not fit together.

    >>> import tinygrad_mnist as torch
    >>> torch.utils.data.default_collate([{"a": 0, "b": 1.5}, {"a": 2, "b": 3.5}])
    {'a': tensor([0, 2]), 'b': tensor([1.5000, 3.5000], dtype=torch.float64)}
    """
    first = batch[0]
    for kind, gather in _GATHER:
        if isinstance(first, kind):
            return gather(batch)
    if isinstance(first, Mapping):
        columns = [(key, default_collate([sample[key] for sample in batch])) for key in first]
        return _rebuilt(first, columns)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        fields = zip(*batch, strict=False)
        return type(first)(*[default_collate(samples) for samples in fields])
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        values = [default_collate(samples) for samples in zip(*batch, strict=True)]
        return values if isinstance(first, tuple) else _rebuilt(first, values)
    raise TypeError(_COLLATE_ERROR.format(type(first)))


def _stack_arrays(batch: Sequence[Any]) -> Any:
    if _is_text(batch[0]):
        raise TypeError(_COLLATE_ERROR.format(batch[0].dtype))
    return stack([as_tensor(array) for array in batch])


_GATHER: list[tuple[Any, Callable[[Any], Any]]] = [
    (Tensor, lambda batch: stack(list(batch))),
    (np.ndarray, _stack_arrays),
    (str | bytes, lambda batch: batch),
    (np.generic, lambda batch: as_tensor(np.stack(batch))),
    (float, lambda batch: tensor(list(batch), dtype=dtypes.float64)),
    (int, lambda batch: tensor(list(batch))),
]
