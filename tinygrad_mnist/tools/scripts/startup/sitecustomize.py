"""What a script that runs on tinygrad_mnist, and every Python that it starts, runs first.

Python imports a module called `sitecustomize` at its start. This folder stands first on
PYTHONPATH, so that subprocesses and workers of any kind are answered as the script itself is. Any
Python may come by, one of another version too: nothing is loaded before it is needed.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.abspath(os.path.join(_HERE, *[os.pardir] * 4))


def _imported(module: str) -> Any:
    """A module of this very package, which other modules find behind all else from now on."""
    sys.path.insert(0, _ROOT)
    try:
        return importlib.import_module("tinygrad_mnist.tools.scripts." + module)
    finally:
        sys.path.remove(_ROOT)
        sys.path.append(_ROOT)


class _Waiting:
    """A finder that makes way for this package's when PyTorch is first asked for."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Where tinygrad_mnist finds what is PyTorch's; None for all else."""
        if not name.startswith("torch") and name != "safetensors.torch":
            return None
        sys.meta_path.remove(self)
        return _imported("import_hook").answer_torch_imports().find_spec(name, path, target)


_STARTED = {"subprocess.Popen": 3, "os.exec": 2, "os.posix_spawn": 2}
"""The events in which a program is started, and where among their arguments its variables are."""
_told: set[str] = set()


def _tell_of_strangers(event: str, arguments: tuple[Any, ...]) -> None:
    """Say once that a Python is started in such a way that it will not find this folder."""
    if event not in _STARTED or event in _told:
        return
    program, words, variables = os.fsdecode(arguments[0]), arguments[1], arguments[_STARTED[event]]
    options = [] if isinstance(words, str) else [os.fsdecode(word) for word in words[1:]]
    if "python" not in os.path.basename(program) or (
        (variables is None or _HERE in variables.get("PYTHONPATH", ""))
        and not {"-I", "-E", "-S"}.intersection(options)
    ):
        return
    _told.add(event)
    sys.stderr.write(
        "warning: a Python is started that does not see this one's PYTHONPATH. There, import torch "
        "does not give tinygrad_mnist, but PyTorch if it is installed\n"
    )


def _run_the_persons_own() -> None:
    """Run the `sitecustomize` that Python would have found without this one."""
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _begin() -> None:
    """Answer imports of PyTorch in this process, and run a script if one is asked for."""
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]
    sys.addaudithook(_tell_of_strangers)
    if "TINYGRAD_MNIST_RUN" in os.environ:
        _imported("running").begin(os.environ.pop("TINYGRAD_MNIST_RUN"))
    else:
        sys.meta_path.insert(0, _Waiting())
    _run_the_persons_own()


if __name__ == "sitecustomize":
    _begin()
