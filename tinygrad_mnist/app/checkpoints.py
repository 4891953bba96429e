"""Checkpoints: all that a run depends on, in one file that is always a complete one.

A run that is resumed goes on bit for bit as if it had never stopped, on a machine of the same kind
with the same versions. A checkpoint holds the
settings, the parameters, the optimiser's state, where in the epoch the run is, the random states
and the results so far, as `torch.save` keeps them: PyTorch's `torch.load` reads it too.
"""

from __future__ import annotations

import math
import platform
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinygrad_mnist as torch
from tinygrad_mnist.engine.wording import cut, shown
from tinygrad_mnist.hardware.settings import get_num_threads
from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.serialization import files
from tinygrad_mnist.serialization.files import ReadError

from .logistic import Epoch
from .report import versions
from .train import Result, Run, Settings, build

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
        run = Run(replace(self.settings, epochs=epochs or self.settings.epochs))
        try:
            _restore(run, self.state)
        except Exception as error:  # what is in a file may be anything
            raise _damaged(self.path, error) from error
        return run


def _restore(run: Run, state: Mapping[str, Any]) -> None:
    parameters = {name: p.detach() for name, p in run.job.parameters.items()}
    if not _alike(state["model"], parameters):
        raise ValueError("the parameters are another model's")
    if state["completed"] and not _alike(state["completed"], parameters):
        raise ValueError("the completed parameters are another model's")
    with torch.no_grad():
        for name, parameter in run.job.parameters.items():
            parameter.copy_(state["model"][name])
    for name in state["zeroed"]:
        run.job.parameters[name].grad = torch.zeros_like(run.job.parameters[name])
    run.losses, run.rows, run.seconds = state["losses"].tolist(), state["rows"], state["seconds"]
    if run.optimizer is not None:
        _check_optimizer(state["optimizer"], run)
        run.optimizer.load_state_dict(state["optimizer"])
    completed = {name: tensor.numpy() for name, tensor in state["completed"].items()}
    run.result = Result([Epoch(**epoch) for epoch in state["history"]], completed)
    run.order_state = state["order_state"]
    torch.set_rng_state(run.order_state)  # finds out whether it is one
    torch.set_rng_state(state["random_state"])


def _check_optimizer(saved: Any, run: Run) -> None:
    """ValueError unless the state is what the run's optimiser has after so many steps."""
    job, optimizer = build(run.settings)
    if run.losses:
        for parameter in job.parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    expected = optimizer.state_dict()
    for state in expected["state"].values():
        if "step" in state:
            state["step"].fill_(len(run.losses))
    if not _alike(saved, expected):
        raise ValueError("the optimizer's state is another's")


def _alike(saved: Any, expected: Any) -> bool:
    """Whether what was saved is what is expected, but for the numbers in vectors and matrices."""
    if type(saved) is not type(expected):
        return False
    if isinstance(expected, dict):
        return saved.keys() == expected.keys() and all(
            _alike(saved[key], each) for key, each in expected.items()
        )
    if isinstance(expected, list | tuple):
        return len(saved) == len(expected) and all(map(_alike, saved, expected))
    if isinstance(expected, torch.Tensor):
        alike = saved.shape == expected.shape and saved.dtype == expected.dtype
        return alike and (expected.dim() > 0 or saved.item() == expected.item())
    return bool(saved == expected)


def read(path: Path) -> Checkpoint:
    """The checkpoint in a file, which is not trusted.

    Raises ReadError if it cannot be read, or is no checkpoint.
    """
    content = files.read(path)
    try:
        state = torch.load(BytesIO(content))
    except Exception as error:  # what is in a file may be anything
        raise ReadError(f"{path}: is no checkpoint ({cut(error)})") from error
    return checked(path, state)


def checked(path: Path, state: Any) -> Checkpoint:
    """The checkpoint that was loaded from a file, or ReadError."""
    if (
        not isinstance(state, dict)
        or not _is_text(state.get("format"))
        or state["format"] != FORMAT
    ):
        raise ReadError(f"{path}: is no checkpoint of `tinygrad-mnist train --checkpoint`.")
    if type(state.get("version")) is int and state["version"] != VERSION:
        raise ReadError(
            f"{path}: is a checkpoint of version {shown(state['version'])}, and this program "
            f"reads version {VERSION}."
        )
    try:
        for name, is_right in _FIELDS.items():
            if not is_right(state[name]):
                raise TypeError(f"its {name} cannot be {shown(state[name])}")
        settings, source = Settings(**state["settings"]), Source(**state["digits"])
    except Exception as error:  # what is in a file may be anything
        raise _damaged(path, error) from error
    threads, every, computed_by = (state[name] for name in ("threads", "every", "computed_by"))
    return Checkpoint(path, settings, source, threads, every, computed_by, state)


# What each field of a checkpoint may be; settings are checked further by `Settings`.


def _is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= _LONGEST_TEXT


def _is_tensor(value: Any) -> bool:
    return type(value) is torch.Tensor


def _is_finite(value: Any) -> bool:
    return type(value) is float and math.isfinite(value) and value >= 0


def _is_result(value: Any) -> bool:
    return type(value) is float or _counts(0)(value)


def _counts(least: int, most: int = 2**63 - 1) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _each(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: type(value) is list and all(map(is_right, value))


def _by_name(
    is_right: Callable[[Any], bool], names: frozenset[str] | None = None
) -> Callable[[Any], bool]:
    """Whether it is a dictionary of such values by text, where names are told by these alone."""
    return lambda value: (
        type(value) is dict
        and all(map(_is_text, value))
        and all(map(is_right, value.values()))
        and names in (None, value.keys())
    )


def _names(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))


_LONGEST_TEXT = 4_096
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "version": _counts(VERSION, VERSION),
    "settings": _by_name(lambda value: type(value) in (str, bool, float, int), _names(Settings)),
    "threads": _counts(1, _MOST_THREADS),
    "computed_by": _by_name(_is_text),
    "history": _each(
        lambda value: _by_name(_is_result, _names(Epoch))(value) and _counts(1)(value["epoch"])
    ),
    "losses": lambda value: _is_tensor(value) and value.dim() == 1 and value.is_floating_point(),
    "rows": _counts(0),
    "seconds": _is_finite,
    "model": _by_name(_is_tensor),
    "zeroed": _each(_is_text),
    "completed": _by_name(_is_tensor),
    "optimizer": lambda value: value is None or type(value) is dict,
    "random_state": _is_tensor,
    "order_state": _is_tensor,
    "digits": lambda value: (
        type(value) is dict
        and value.keys() == _names(Source)
        and _is_text(value["where"])
        and _counts(0, 2**32 - 1)(value["sum"])
    ),
    "every": lambda value: value is None or _counts(1)(value),
}


def _damaged(path: Path, error: Exception) -> ReadError:
    return ReadError(f"{path}: is a checkpoint that does not fit together ({cut(error)}).")
