"""Compiling in a process of its own, one program at a time; the code is found on the disk.

The process is told the source and the kinds of its arguments, nothing of the script. It ends when
this one does, however that ends: its standard input is then closed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.kernels.locks import renewed_after_fork
from tinygrad_mnist.kernels.native_code import kinds

_lock = renewed_after_fork(threading.Lock())
_running: list[tuple[int, Path, subprocess.Popen[bytes]]] = []
"""Who started the process, what it compiles, and the process."""
_ended: set[Path] = set()
_staying = contextlib.ExitStack()
"""Steps that are taken meanwhile are no reason to compile what they call."""


class Later(Exception):
    """Code is being compiled, elsewhere."""


def wait_for(text: str, fastmath: frozenset[str], arrays: Sequence[Any], file: Path | None) -> None:
    """Raise Later until somebody has compiled a source for such arrays, or failed to."""
    if file is None or not sys.executable or not all(map(_is_plain, arrays)):
        return
    with _lock:
        _collect()
        if file in _ended or file.exists():
            return
        if not _running:
            job = {"text": text, "fastmath": sorted(fastmath), "arrays": kinds(arrays).split(", ")}
            _staying.enter_context(dispatch.staying("a program is being compiled"))
            _running.append((os.getpid(), file, _started(json.dumps(job).encode())))
    raise Later


def _is_plain(given: Any) -> bool:
    flags = given.flags
    return bool(flags.c_contiguous and flags.aligned and given.dtype.isnative)


def _started(job: bytes) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", f"{__package__}.elsewhere"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(job + b"\n")
    process.stdin.flush()
    threading.Thread(target=_watch, args=(process,), daemon=True).start()
    return process


def _watch(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    with _lock:
        _collect()


def _collect() -> None:
    """Note what has ended; a process that forked has none of its own."""
    for each in list(_running):
        owner, file, process = each
        ours = owner == os.getpid()
        if not ours or process.poll() is not None:
            _running.remove(each)
            _staying.close()
        if ours and process.returncode is not None:
            _ended.add(file)
            assert process.stdin is not None
            process.stdin.close()


@atexit.register
def stop() -> None:
    """End what is being compiled."""
    for owner, _, process in _running:
        if owner == os.getpid():
            process.kill()
            process.wait()
