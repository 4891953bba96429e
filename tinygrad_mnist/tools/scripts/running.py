"""Running a script in a fresh process, on this engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tinygrad_mnist

__all__ = ["fresh_python", "run"]

_ROOT = str(Path(tinygrad_mnist.__file__).resolve().parent.parent)
_BEGIN = """\
import sys
sys.path.insert(0, {root!r})
from {module} import {function}
del sys.path[0]
sys.path.append({root!r})
{function}(*__import__("json").loads(sys.argv[1]))
"""


def run(
    script: str | os.PathLike[str],
    arguments: Sequence[str] = (),
    *,
    notebook: bool = False,
    threads: int | None = None,
    full_traceback: bool = False,
) -> int:
    """Run a PyTorch script on tinygrad_mnist, in a fresh Python process, and wait for it.

    `import torch` and what lies below it is answered by this package. The script finds its own
    `sys.argv`, standard input and output, and its folder first on `sys.path`. Notebooks (.ipynb,
    Markdown with cells of Python) run cell by cell and show what each prints; `notebook` reads
    the file as one whatever its name. Returns the exit code: the script's; 1 after an error,
    which is told on standard error (the engine's own frames only with `full_traceback`); 130
    after Ctrl-C; 128 and the signal's number when a signal ended it.
    """
    options = {"notebook": notebook, "threads": threads, "full_traceback": full_traceback}
    call = [os.fspath(script), list(arguments), options]
    command = fresh_python("tinygrad_mnist.tools.scripts.child", "main", call)
    with subprocess.Popen(command) as process, _left_to(process):
        code = process.wait()
    return code if code >= 0 else 128 - code


def fresh_python(module: str, function: str, arguments: list[Any]) -> list[str]:
    """The command that calls a function of this package in a Python process of its own.

    The process finds this very package, wherever it is; `arguments` travel as JSON.
    """
    code = _BEGIN.format(root=_ROOT, module=module, function=function)
    return [sys.executable, "-P", "-c", code, json.dumps(arguments)]


@contextmanager
def _left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave Ctrl-C to the process, and hand on a request to end, while it runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {
        signal.SIGINT: lambda *_: None,
        signal.SIGTERM: lambda *_: process.terminate(),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
