"""Messages between processes: JSON and arrays of numbers, nothing that could be run."""

from __future__ import annotations

import json
from typing import IO, Any, NamedTuple

import numpy as np

__all__ = ["Message", "receive", "send"]

Array = np.ndarray[Any, Any]


class Message(NamedTuple):
    """What one process tells another: words as JSON knows them, and arrays."""

    words: dict[str, Any]
    arrays: list[Array]


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message: a line of JSON that describes the arrays, then their bytes."""
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    head = [message.words, [[array.dtype.str, list(array.shape)] for array in message.arrays]]
    stream.write(json.dumps(head).encode() + b"\n")
    for array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read the next message; None where the stream ends, be it in the midst of one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    words, described = json.loads(line)
    arrays = []
    for kind, shape in described:
        dtype = np.dtype(kind)
        if dtype.hasobject:
            raise ValueError(f"an array of {dtype} is no array of numbers")
        count = int(np.prod(shape, dtype=np.int64))
        content = stream.read(count * dtype.itemsize)
        if len(content) < count * dtype.itemsize:
            return None
        arrays.append(np.frombuffer(content, dtype).reshape(shape))
    return Message(words, arrays)
