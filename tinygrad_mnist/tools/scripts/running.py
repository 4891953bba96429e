"""Running a script in a fresh process, on this engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import tinygrad_mnist

from . import tracebacks as faults
from .cells import execute
from .import_hook import answer_torch_imports
from .program import SCRIPT, Program, ScriptError, read

__all__ = ["become_main", "fresh_python", "main", "prepare_plots", "run"]

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
    command = fresh_python("tinygrad_mnist.tools.scripts.running", "main", call)
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


# In the process that the script runs in

FAILED = 1


def main(path: str, arguments: list[str], options: dict[str, Any]) -> None:
    """Run the script at `path` as Python would, its imports of torch answered by this package.

    Options: "notebook" (read it as one), "full_traceback", "threads" (None: as they are).
    """
    try:
        program = read(Path(path), options["notebook"])
    except ScriptError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(FAILED) from None
    answer_torch_imports()
    prepare_plots()
    if options["threads"] is not None:
        from tinygrad_mnist.hardware.settings import set_num_threads

        set_num_threads(options["threads"])
    namespace = become_main(program, arguments)
    sys.excepthook = _hook(program, options["full_traceback"])
    execute(program, namespace)


def become_main(program: Program, arguments: list[str], answered: bool = True) -> dict[str, Any]:
    """Make the program this process's `__main__`, with its arguments; its global names.

    `answered`: whether its imports of torch are answered by this package.
    """
    sys.argv = [str(program.path), *arguments]
    sys.path.insert(0, str(program.path.resolve().parent))
    module = ModuleType("__main__")
    if not program.is_notebook:
        module.__file__ = str(program.path)
    if answered and not program.is_notebook:
        # A worker process that starts anew runs the script again, and needs its imports answered.
        os.environ[SCRIPT] = str(program.path.resolve())
        module.__spec__ = ModuleSpec("tinygrad_mnist.tools.scripts.worker_main", None)
    sys.modules["__main__"] = module
    return module.__dict__


def prepare_plots(hidden: bool = False) -> None:
    """Let matplotlib draw without a window where there is no display, or if `hidden`."""
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if hidden or (sys.platform == "linux" and not any(os.environ.get(each) for each in displays)):
        os.environ["MPLBACKEND"] = "Agg"
    warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def _hook(program: Program, full: bool) -> Any:
    """What Python calls with the error that ends the script."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stdout.flush()
        if isinstance(error, KeyboardInterrupt):
            sys.stderr.write("stopped\n")
        else:
            faults.tell(error, program, full=full)

    return tell
