"""Whose code a frame runs: the person's, or an engine's, a package's, Python's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from types import FrameType

import tinygrad_mnist

__all__ = ["is_ours", "is_persons", "persons_frames"]

_OURS = os.path.dirname(os.path.abspath(tinygrad_mnist.__file__)) + os.sep
_PYTHONS = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_MACHINERY = ("<frozen ", "<string>")


@cache
def is_ours(filename: str) -> bool:
    """Whether code of this file is this package's, or what Python runs it with."""
    return filename.startswith((_OURS, *_MACHINERY))


@cache
def is_persons(filename: str) -> bool:
    """Whether code of this file was written by the person whose script runs."""
    return not (
        is_ours(filename) or filename.startswith((_PYTHONS, "<")) or "site-packages" in filename
    )


def persons_frames(depth: int = 1) -> Iterator[FrameType]:
    """The frames of the person's code that are running, innermost first."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        if is_persons(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back
