"""The process that a script runs in: `python -c … options script arguments`."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from . import faults, reading
from .cells import execute
from .program import SCRIPT, Program, ScriptError
from .torch_names import answer_torch_imports

__all__ = ["be_main", "main", "prepare_plots"]

FAILED = 1
INTERRUPTED = 130


def main(path: str, arguments: list[str], options: dict[str, Any]) -> None:
    """Run the script at `path` as Python would, its imports of torch answered by this package.

    Options: "notebook" (read it as one), "full_traceback", "threads" (None: as they are).
    """
    try:
        program = reading.read(Path(path), options["notebook"])
    except ScriptError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(FAILED) from None
    answer_torch_imports()
    prepare_plots()
    if options["threads"] is not None:
        from tinygrad_mnist.hardware.settings import set_num_threads

        set_num_threads(options["threads"])
    namespace = be_main(program, arguments)
    sys.excepthook = _hook(program, options["full_traceback"])
    execute(program, namespace)


def be_main(program: Program, arguments: list[str], answered: bool = True) -> dict[str, Any]:
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
        module.__spec__ = ModuleSpec("tinygrad_mnist.tools.scripts.main_again", None)
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
