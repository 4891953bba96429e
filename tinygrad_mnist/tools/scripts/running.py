"""Running a script in a fresh process, on this engine."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import tinygrad_mnist

from . import tracebacks as faults
from .cells import execute
from .import_hook import DEVICE, answer_torch_imports
from .program import Program, ScriptError, read

__all__ = [
    "become_main",
    "begin",
    "call_in_fresh_python",
    "die_of_pipe",
    "environment",
    "fresh_python",
    "nobody_reads",
    "prepare_plots",
    "prepared",
    "run",
    "run_notebook",
]

_ROOT = str(Path(tinygrad_mnist.__file__).resolve().parent.parent)
_STARTUP = str(Path(__file__).resolve().parent / "startup")
_OPTIONS = "TINYGRAD_MNIST_RUN"
"""The environment variable that tells the script's own process how to begin."""
_BEGIN = """\
import sys
sys.path.insert(0, {root!r})
from {module} import {function}
del sys.path[0]
sys.path.append({root!r})
{function}(*__import__("json").loads(sys.argv[1]))
"""
FAILED = 1


def run(
    script: str | os.PathLike[str],
    arguments: Sequence[str] = (),
    *,
    notebook: bool = False,
    module: bool = False,
    threads: int | None = None,
    device: str | None = None,
    full_traceback: bool = False,
) -> int:
    """Run a PyTorch script on tinygrad_mnist, in a fresh Python process, and wait for it.

    Python runs the script as it would run it by itself, but `import torch` and what lies below it
    is answered by this package, in every Python that the script starts, too. With `module`,
    `script` is the name of a module or package, as for `python -m`. Notebooks (.ipynb, Markdown
    with cells of Python) run cell by cell and show what each prints; `notebook` reads the file as
    one whatever its name. With `device` "cpu" the script's "cuda" is the CPU. Returns the exit
    code: the script's; 1 after an error, which is told on standard error (the engine's own frames
    only with `full_traceback`); 130 after Ctrl-C; 128 and the signal's number when a signal ended
    it.
    """
    try:
        command, variables = prepared(
            script, arguments, notebook=notebook, module=module, threads=threads, device=device,
            full_traceback=full_traceback,
        )  # fmt: skip
    except ScriptError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    return _waited_for(command, variables)


def call_in_fresh_python(module: str, function: str, arguments: list[Any]) -> int:
    """Call a function of this package in a process in which `import torch` is answered.

    Returns the exit code, as `run` does.
    """
    options = json.dumps({"threads": None, "full_traceback": False})
    variables = environment(answered=True) | {_OPTIONS: options}
    return _waited_for(fresh_python(module, function, arguments), variables)


def _waited_for(command: list[str], variables: dict[str, str]) -> int:
    with (
        subprocess.Popen(command, env=variables, close_fds=False) as process,
        _left_to(process),
    ):
        code = process.wait()
    return code if code >= 0 else 128 - code


def prepared(
    script: str | os.PathLike[str],
    arguments: Sequence[str] = (),
    *,
    notebook: bool = False,
    module: bool = False,
    threads: int | None = None,
    device: str | None = None,
    full_traceback: bool = False,
) -> tuple[list[str], dict[str, str]]:
    """The command that runs a script as `run` does, and its environment.

    Raises:
        ScriptError: the script cannot be read.
    """
    path = os.fspath(script)
    options = json.dumps({"threads": threads, "full_traceback": full_traceback})
    variables = environment(answered=True) | {_OPTIONS: options}
    if device is not None:
        variables[DEVICE] = device
    if not module and _is_notebook(Path(path), notebook):
        call = [path, list(arguments), notebook, full_traceback]
        return fresh_python(__name__, "run_notebook", call), variables
    named = os.path.join(os.curdir, path) if path.startswith("-") else path
    return [sys.executable, *(["-m", path] if module else [named]), *arguments], variables


def _is_notebook(path: Path, as_notebook: bool) -> bool:
    """Whether the file holds cells; a pipe, which is read only once, is a script if not told."""
    if path.exists() and not path.is_file() and not path.is_dir():
        return as_notebook
    return read(path, as_notebook).is_notebook


def environment(answered: bool) -> dict[str, str]:
    """This process's environment variables, for a Python whose `import torch` is answered or not.

    So it is in every Python that inherits them.
    """
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = [folder for folder in inherited if folder and folder != _STARTUP]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([_STARTUP] * answered + folders)}


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


def begin(options: str) -> None:
    """Prepare this process, which is to run a script: what it imports, draws, and tells of errors.

    `options`, in JSON: "full_traceback", "threads" (None: as they are).
    """
    told = json.loads(options)
    answer_torch_imports()
    prepare_plots()
    if told["threads"] is not None:
        from tinygrad_mnist.hardware.settings import set_num_threads

        set_num_threads(told["threads"])
    sys.excepthook = _hook(None, told["full_traceback"])
    atexit.register(_end_of_output)


def run_notebook(path: str, arguments: list[str], notebook: bool, full_traceback: bool) -> None:
    """Run the script or notebook at `path` in a process that has begun."""
    program = read(Path(path), notebook)
    sys.excepthook = _hook(program, full_traceback)
    execute(program, become_main(program, arguments))


def become_main(program: Program, arguments: list[str]) -> dict[str, Any]:
    """Make the program this process's `__main__`, with its arguments; its global names."""
    sys.argv = [str(program.path), *arguments]
    sys.path.insert(0, str(program.path.resolve().parent))
    module = ModuleType("__main__")
    if not program.is_notebook:
        module.__file__ = os.path.abspath(program.path)
    sys.modules["__main__"] = module
    return module.__dict__


def prepare_plots(hidden: bool = False) -> None:
    """Let matplotlib draw without a window where there is no display, or if `hidden`."""
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if hidden or (sys.platform == "linux" and not any(os.environ.get(each) for each in displays)):
        os.environ["MPLBACKEND"] = "Agg"
    warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def _hook(program: Program | None, full: bool) -> Any:
    """What Python calls with the error that ends the program; None: the script of this process."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, BrokenPipeError) and nobody_reads():
            die_of_pipe()
        sys.stdout.flush()
        if isinstance(error, KeyboardInterrupt):
            sys.stderr.write("stopped\n")
        else:
            script = program or Program(Path(sys.argv[0]), (), is_notebook=False)
            faults.tell(error, script, full=full)

    return tell


# Output that nobody reads any more, as behind `| head -1`


def nobody_reads(output: int = 1) -> bool:
    """Whether an output, given by its descriptor, is a pipe whose reader is gone."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(output, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def die_of_pipe() -> None:
    """End as other programs do whose reader is gone: by the signal that says so, and in silence."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    os._exit(FAILED)


def _end_of_output() -> None:
    """Write what is left of the output, when all else is over."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        die_of_pipe()
    except (OSError, ValueError, AttributeError):
        return  # closed, or a full disk, of which Python tells
