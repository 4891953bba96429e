"""The process in which one engine runs the script and tells what it does."""

from __future__ import annotations

import os
import random
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mnist.tools.scripts import reading
from tinygrad_mnist.tools.scripts.cells import execute
from tinygrad_mnist.tools.scripts.child import be_main, prepare_plots
from tinygrad_mnist.tools.scripts.frames import is_persons

from .engine import Engine
from .recorder import Recorder

__all__ = ["main"]


def main(engine: str, path: str, arguments: list[str], options: dict[str, Any]) -> None:
    """Run the script on the engine called "torch" or "tinygrad_mnist", recording it.

    What is recorded leaves through standard output; what the script prints goes to the files
    named in `options`, which also holds "notebook", "threads", "seed", "watched_steps",
    "lockstep" and "device".
    """
    events = os.fdopen(os.dup(1), "wb")
    orders = os.fdopen(os.dup(0), "rb")
    _redirect(options["stdout"], options["stderr"])
    program = reading.read(Path(path), options["notebook"])
    prepare_plots(hidden=True)
    chosen = _engine(engine)
    chosen.prepare(options["threads"], options["seed"])
    random.seed(options["seed"])
    np.random.seed(options["seed"] % 2**32)
    namespace = be_main(program, arguments, answered=engine != "torch")
    follows = options["lockstep"] and engine != "torch"
    recorder = Recorder(chosen, events, options["watched_steps"], orders if follows else None)
    if options["device"] == "cuda" and engine == "torch" and not chosen.has_gpu():
        recorder.end({"fault": "PyTorch finds no CUDA device here: --device cuda needs one"})
        return
    recorder.begin()
    words: dict[str, Any] = {}
    try:
        execute(program, namespace)
    except SystemExit as end:
        words["exit"] = end.code if isinstance(end.code, int | str | None) else str(end.code)
    except BaseException as error:
        words.update(_described(error, program))
        traceback.print_exc()
    sys.stdout.flush()
    recorder.end(words)


def _redirect(stdout: str, stderr: str) -> None:
    """What the script prints goes to files, and it has nothing to read."""
    sys.stdout.flush()
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)


def _engine(name: str) -> Engine:
    if name == "torch":
        from .theirs import PyTorch

        return PyTorch()
    from .ours import TinygradMnist

    return TinygradMnist()


def _described(error: BaseException, program: Any) -> dict[str, str]:
    """The error that ended the script, and where."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        if is_persons(trace.tb_frame.f_code.co_filename):
            place = program.place(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return {"error": f"{type(error).__name__}: {error}", "place": place}
