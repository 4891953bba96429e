"""Checkpoints: all that a run depends on, in one file that is always a complete one.

A run that is resumed goes on bit for bit as if it had never stopped, on a machine of the same kind
with the same versions. A checkpoint holds the
settings, the parameters, the optimiser's state, where in the epoch the run is, the random states
and the results so far, as `torch.save` keeps them: PyTorch's `torch.load` reads it too.
"""

from __future__ import annotations

import platform
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinygrad_mnist as torch
from tinygrad_mnist.hardware.settings import get_num_threads
from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.serialization import files
from tinygrad_mnist.serialization.files import ReadError

from .logistic import Epoch
from .report import versions
from .train import Result, Run, Settings

if TYPE_CHECKING:
    from tinygrad_mnist import Tensor

    from .datasets import Digits

FORMAT = "tinygrad_mnist training run"
VERSION = 1
_MOST_THREADS = 4_096


@dataclass(frozen=True)
class Source:
    """Where a run's digits came from, and a sum over them."""

    where: str
    sum: int


def source(where: str, digits: Digits[Tensor]) -> Source:
    """The digits as a checkpoint remembers them; a path to them is made absolute."""
    path = Path(where).expanduser()
    if path.exists():
        where = str(path.resolve())
    total = 0
    for tensor in (*digits.train, *digits.valid):
        total = zlib.crc32(tensor.numpy().data, total)
    return Source(where, total)


def computed_by() -> dict[str, str]:
    """What the last bits of a run's numbers depend on, besides the run itself."""
    return {**versions(), "kernels": dispatch.choice, "processor": platform.machine()}


def write(path: Path, run: Run, source: Source, every: int | None = None) -> None:
    """Writes a checkpoint whole or not at all: until it is there, the last one is.

    Raises WriteError if the file cannot be written.
    """
    with files.writing(path) as file:
        torch.save({**_state(run), "digits": asdict(source), "every": every}, file)


def _state(run: Run) -> dict[str, Any]:
    parameters = {name: p.detach() for name, p in run.job.parameters.items()}
    result = run.result
    return {
        "format": FORMAT,
        "version": VERSION,
        "settings": asdict(run.settings),
        "threads": get_num_threads(),
        "computed_by": computed_by(),
        "history": [asdict(epoch) for epoch in result.history],
        "losses": torch.tensor(run.losses),
        "rows": run.rows,
        "seconds": run.seconds,
        "model": parameters,
        "zeroed": [name for name, p in run.job.parameters.items() if p.grad is not None],
        "completed": {name: torch.from_numpy(array) for name, array in result.parameters.items()},
        "optimizer": None if run.optimizer is None else run.optimizer.state_dict(),
        "random_state": torch.get_rng_state(),
        "order_state": run.order_state,
    }


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read."""

    path: Path
    settings: Settings
    source: Source
    threads: int
    every: int | None
    computed_by: Mapping[str, str]
    state: Mapping[str, Any]

    def parameters(self) -> dict[str, Tensor]:
        """The model's parameters where the run was."""
        return dict(self.state["model"])

    def resume(self, epochs: int | None = None) -> Run:
        """The run where it was; it can be given another number of epochs.

        Raises ReadError if the checkpoint does not fit together.
        """
        settings = asdict(self.settings)
        settings["epochs"] = self.settings.epochs if epochs is None else epochs
        run = Run(Settings(**settings))
        try:
            _restore(run, self.state)
        except Exception as error:  # what is in a file may be anything
            raise _damaged(self.path, error) from error
        return run


def _restore(run: Run, state: Mapping[str, Any]) -> None:
    names = run.job.parameters.keys()
    if state["model"].keys() != names or not names >= state["completed"].keys():
        raise ValueError("the parameters are another model's")
    with torch.no_grad():
        for name, parameter in run.job.parameters.items():
            saved = state["model"][name]
            if saved.shape != parameter.shape or saved.dtype != parameter.dtype:
                raise ValueError(f"parameter {name} has shape {tuple(saved.shape)}")
            parameter.copy_(saved)
    for name in state["zeroed"]:
        run.job.parameters[name].grad = torch.zeros_like(run.job.parameters[name])
    if run.optimizer is not None:
        run.optimizer.load_state_dict(state["optimizer"])
    completed = {name: tensor.numpy() for name, tensor in state["completed"].items()}
    run.result = Result([Epoch(**epoch) for epoch in state["history"]], completed)
    run.losses, run.rows, run.seconds = state["losses"].tolist(), state["rows"], state["seconds"]
    run.order_state = state["order_state"]
    torch.set_rng_state(run.order_state)  # finds out whether it is one
    torch.set_rng_state(state["random_state"])


def read(path: Path) -> Checkpoint:
    """The checkpoint in a file, which is not trusted.

    Raises ReadError if it cannot be read, or is no checkpoint.
    """
    content = files.read(path)
    try:
        state = torch.load(BytesIO(content))
    except Exception as error:  # what is in a file may be anything
        raise ReadError(f"{path}: is no checkpoint ({error})") from error
    return checked(path, state)


def checked(path: Path, state: Any) -> Checkpoint:
    """The checkpoint that was loaded from a file, or ReadError."""
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ReadError(f"{path}: is no checkpoint of `tinygrad-mnist train --checkpoint`.")
    if state.get("version") != VERSION:
        raise ReadError(
            f"{path}: is a checkpoint of version {state.get('version')}, and this program reads "
            f"version {VERSION}."
        )
    try:
        source, every = Source(**state["digits"]), state["every"]
        _check_types(source, every, state)
        settings = Settings(**state["settings"])
        return Checkpoint(
            path, settings, source, state["threads"], every, state["computed_by"], state
        )
    except Exception as error:  # what is in a file may be anything
        raise _damaged(path, error) from error


def _check_types(source: Source, every: object, state: Mapping[str, Any]) -> None:
    for setting in fields(Settings):
        value = state["settings"][setting.name]
        numbers = type(setting.default) is float and type(value) is int
        if type(value) is not type(setting.default) and not numbers:
            raise TypeError(f"its setting {setting.name} is {value!r}")
    if type(source.where) is not str or type(source.sum) is not int:
        raise TypeError("it does not say what the digits were")
    if not all(type(each) is str for pair in state["computed_by"].items() for each in pair):
        raise TypeError("it does not say what computed it")
    if every is not None and (type(every) is not int or every < 1):
        raise TypeError(f"it was to be written every {every!r} steps")
    if not isinstance(state["losses"], torch.Tensor) or state["losses"].dim() != 1:
        raise TypeError("it does not say what the losses were")
    if not all(isinstance(each, torch.Tensor) for each in state["model"].values()):
        raise TypeError("the parameters are no tensors")
    if any(type(value) not in (int, float) for each in state["history"] for value in each.values()):
        raise TypeError("its results are no numbers")
    for name, least, most in (("threads", 1, _MOST_THREADS), ("rows", 0, 2**63)):
        if type(state[name]) is not int or not least <= state[name] <= most:
            raise ValueError(f"it says {name} {state[name]!r}")
    if type(state["seconds"]) is not float:
        raise TypeError(f"it took {state['seconds']!r} seconds")


def _damaged(path: Path, error: Exception) -> ReadError:
    return ReadError(f"{path}: is a checkpoint that does not fit together ({error}).")
