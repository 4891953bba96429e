"""Weights in the safetensors format: what `safetensors.torch` has, for the tensors here.

A file holds tensors by name, and texts by name as its metadata; it cannot hold code. Source of the
format: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor.creation import from_numpy
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.device import check_device, device
from tinygrad_mnist.engine.memory import address, memory_of
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.wording import quoted, shown

from . import files

if TYPE_CHECKING:
    from tinygrad_mnist.nn import Module

_CARRIED = {
    "F32": dtypes.float32,
    "F64": dtypes.float64,
    "I64": dtypes.int64,
    "I32": dtypes.int32,
    "I16": dtypes.int16,
    "I8": dtypes.int8,
    "U8": dtypes.uint8,
    "F16": dtypes.float16,
    "BF16": dtypes.bfloat16,
    "BOOL": dtypes.bool,
}


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a file that holds the tensors by name.

    Raises:
        ValueError: a tensor is not contiguous, or something is no tensor.
        RuntimeError: two tensors share memory, which the format cannot say.

    >>> content = save({"weight": torch.ones(2)}, metadata={"model": "none"})
    >>> load(content)
    {'weight': tensor([1., 1.])}
    """
    from safetensors.numpy import save

    arrays = {name: _array(name, tensor) for name, tensor in tensors.items()}
    _check_apart(arrays)
    return save(arrays, None if metadata is None else dict(metadata))


def save_file(
    tensors: Mapping[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes the tensors by name into a file, whole or not at all.

    Raises what `save` does, and WriteError when the file cannot be written.
    """
    content = save(tensors, metadata)
    with files.writing(Path(filename)) as file:
        file.write(content)


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors by name in a file's bytes.

    Raises:
        SafetensorError: the bytes are damaged, or in another format.
        NotImplementedError: a tensor's type is not carried.
    """
    from safetensors import SafetensorError, deserialize

    tensors = {}
    for name, described in deserialize(data):  # type: ignore[no-untyped-call]
        kind = _CARRIED.get(described["dtype"])
        if kind is None:
            raise NotImplementedError(
                f"tensor {shown(name)} is of type {described['dtype']}, which tinygrad_mnist does "
                "not carry: convert it before it is saved, for example with .float()"
            )
        array, shape = np.frombuffer(described["data"], kind.numpy), described["shape"]
        try:
            tensors[name] = from_numpy(array.reshape(shape))
        except ValueError as error:  # more than 64 dimensions; a size of 2**63 beside one of 0
            told = f"tensor {shown(name)} has shape {shown(shape)}, which none can have here"
            raise SafetensorError(told) from error
    return tensors


def load_file(
    filename: str | os.PathLike[str], device: device | str | int = "cpu"
) -> dict[str, Tensor]:
    """The tensors by name in a file, which may be another program's, PyTorch's for example.

    Raises what `load` does, and OSError when the file cannot be read.

    >>> import os, tempfile
    >>> model = torch.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     save_file(model.state_dict(), path)
    ...     model.load_state_dict(load_file(path))
    <All keys matched successfully>
    """
    check_device(device)
    with files.opened(filename) as file:
        return load(file.read())


def save_model(
    model: Module,
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    force_contiguous: bool = True,
) -> None:
    """Writes a model's parameters and buffers; of those that are one tensor, the first by name.

    The metadata then names it for each of the others, as PyTorch's `save_model` does. Raises what
    `save_file` does.
    """
    state = dict(model.state_dict())
    named = dict(metadata or {})
    for kept, others in _tied(state).items():
        for other in others:
            del state[other]
            named.setdefault(other, kept)
    if force_contiguous:
        state = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(state, filename, named or None)


def load_model(
    model: Module,
    filename: str | os.PathLike[str],
    strict: bool = True,
    device: device | str | int = "cpu",
) -> tuple[list[str], list[str]]:
    """Loads what `save_model` wrote into a model, and returns the missing and unexpected names.

    Raises RuntimeError where there are such names and `strict` is set, besides what `load_file`
    raises.
    """
    found = model.load_state_dict(load_file(filename, device), strict=False)
    tied = {name: {name, kept, *others} for kept, others in _tied(model.state_dict()).items()
            for name in (kept, *others)}  # fmt: skip
    absent = set(found.missing_keys)
    missing = sorted(name for name in absent if not tied.get(name, set()) - absent)
    unexpected = list(found.unexpected_keys)
    if strict and (missing or unexpected):
        told = f"Error(s) in loading state_dict for {type(model).__name__}:"
        for kind, names in (("Missing", missing), ("Unexpected", sorted(unexpected))):
            if names:
                told += f"\n    {kind} key(s) in state_dict: {quoted(names)}"
        raise RuntimeError(told)
    return missing, unexpected


def _tied(state: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Of names that stand for one tensor: the first, and the others."""
    groups: dict[Any, list[str]] = {}
    for name in sorted(state):
        array = state[name]._array
        place = address(array), array.shape, array.strides
        groups.setdefault(place if array.size else name, []).append(name)
    return {names[0]: names[1:] for names in groups.values() if len(names) > 1}


def read_metadata(data: bytes) -> dict[str, str]:
    """The metadata in a file's bytes, which `load` found sound."""
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return metadata


def _array(name: str, tensor: Any) -> Array:
    if not isinstance(tensor, Tensor):
        raise ValueError(
            f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}"
        )
    array = tensor._array
    if not array.flags.c_contiguous:
        raise ValueError(
            f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It "
            "either means you are trying to save tensors which are reference of each other in "
            "which case it's recommended to save only the full tensors, and reslice at load time, "
            "or simply call `.contiguous()` on your tensor to pack it before saving."
        )
    return array


def _check_apart(arrays: Mapping[str, Array]) -> None:
    owners: dict[int, str] = {}
    for name, array in arrays.items():
        memory, _ = memory_of(array)
        if len(memory):
            other = owners.setdefault(address(memory), name)
            if other != name:
                raise RuntimeError(
                    f"Some tensors share memory, which a file of this format cannot say: {other!r} "
                    f"and {name!r}. Save one of them, or .clone() the other"
                )
