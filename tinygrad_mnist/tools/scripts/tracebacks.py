"""Whose code a frame runs: the person's, or an engine's, a package's, Python's."""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from types import FrameType, TracebackType
from typing import TextIO

import tinygrad_mnist
from tinygrad_mnist.names import Unsupported, unsupported

from .import_hook import UnsupportedModule
from .program import Program

__all__ = ["is_engine_code", "is_user_code", "tell", "user_frames"]

_OURS = os.path.dirname(os.path.abspath(tinygrad_mnist.__file__)) + os.sep
_RUNNING = os.path.join(_OURS, "tools", "scripts") + os.sep
_PYTHONS = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_MACHINERY = ("<frozen ", "<string>")


@cache
def is_engine_code(filename: str) -> bool:
    """Whether code of this file is this package's, or what Python runs it with."""
    return filename.startswith((_OURS, *_MACHINERY))


@cache
def is_user_code(filename: str) -> bool:
    """Whether code of this file was written by the person whose script runs."""
    return not (
        is_engine_code(filename)
        or filename.startswith((_PYTHONS, "<"))
        or "site-packages" in filename
    )


def user_frames(depth: int = 1) -> Iterator[FrameType]:
    """The frames of the person's code that are running, innermost first."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        if is_user_code(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


# The message: the script's own lines, in a sentence where one says it all

_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)' from '(torch[\w.]*)'")


def tell(
    error: BaseException, program: Program, output: TextIO | None = None, full: bool = False
) -> None:
    """Write what went wrong: a sentence where that says it all, else a traceback.

    The traceback shows the script's frames only, unless `full`.
    """
    output = sys.stderr if output is None else output
    sentence = None if full else _sentence(error, program)
    if sentence is None:
        output.write(_traceback(error, full))
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        if frames and _computes(frames[-1].f_code.co_filename):
            output.write("(tinygrad_mnist computed this, in PyTorch's place)\n")
        if program.is_notebook and (place := _place(error, program)):
            output.write(f"error: {place}\n")
        return
    output.write(f"error: {_place(error, program)}: {sentence}\n")
    if line := _line(error):
        output.write(f"    {line}\n")


def _computes(filename: str) -> bool:
    """Whether code of this file is the engine's, and not what runs the program."""
    return filename.startswith(_OURS) and not filename.startswith(_RUNNING)


def _last_of_script(error: BaseException) -> TracebackType | None:
    """The innermost step of the traceback that is in the person's code."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if is_user_code(trace.tb_frame.f_code.co_filename):
            found = trace
        trace = trace.tb_next
    return found


def _place(error: BaseException, program: Program) -> str:
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return program.place(error.filename, error.lineno)
    trace = _last_of_script(error)
    if trace is None:
        return program.path.name
    return program.place(trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def _line(error: BaseException) -> str:
    trace = _last_of_script(error)
    if trace is None:
        return ""
    return linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno).strip()


def _sentence(error: BaseException, program: Program) -> str | None:
    """What says it all; None where a traceback is needed."""
    if isinstance(error, UnsupportedModule):
        return str(error)
    if isinstance(error, Unsupported):
        return _with_dotted_name(str(error), error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{error.name} is not installed in this Python ({sys.executable})"
    if isinstance(error, ImportError) and (named := _CANNOT_IMPORT.search(str(error))):
        name, module = named.groups()
        return str(unsupported(f"{module}.{name}".removeprefix("torch.")))
    if isinstance(error, AttributeError) and isinstance(error.obj, tinygrad_mnist.Tensor):
        return str(unsupported(f"Tensor.{error.name}"))
    return _network_sentence(error)


def _network_sentence(error: BaseException) -> str | None:
    """For a download that failed, what was asked for and what to do."""
    modules = {kind.__module__ for kind in type(error).__mro__}
    if not modules & {"requests.exceptions", "urllib.error"}:
        return None
    request = getattr(error, "request", None)
    asked_for = getattr(request, "url", None) or getattr(error, "filename", None) or "what it needs"
    return (
        f"{asked_for} could not be fetched ({type(error).__name__}). If the file is put where the "
        "script looks for it, many scripts need no network"
    )


def _with_dotted_name(sentence: str, error: Unsupported) -> str:
    """The sentence about `torch.fft`, where the script says `torch.fft.fft`, with that name."""
    trace = _last_of_script(error)
    name = sentence.partition(" ")[0]
    if trace is None:
        return sentence
    code = trace.tb_frame.f_code
    line, end_line, start, end = list(code.co_positions())[trace.tb_lasti // 2]
    source = "".join(linecache.getlines(code.co_filename))
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return sentence
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        inner: ast.expr = node
        behind: list[str] = []
        while isinstance(inner, ast.Attribute):
            place = (inner.lineno, inner.end_lineno, inner.col_offset, inner.end_col_offset)
            if place == (line, end_line, start, end) and behind:
                return sentence.replace(name, ".".join([name, *reversed(behind)]), 1)
            behind.append(inner.attr)
            inner = inner.value
    return sentence


def _traceback(error: BaseException, full: bool) -> str:
    shown = traceback.TracebackException.from_exception(error)
    if not full:
        _strip(shown, set())
    return "".join(shown.format())


def _strip(shown: traceback.TracebackException, seen: set[int]) -> None:
    """Take out, here and in the errors that led to it, all frames that are not the script's."""
    if id(shown) in seen:
        return
    seen.add(id(shown))
    kept = [frame for frame in shown.stack if not is_engine_code(frame.filename)]
    shown.stack[:] = kept
    for other in (shown.__cause__, shown.__context__):
        if other is not None:
            _strip(other, seen)
