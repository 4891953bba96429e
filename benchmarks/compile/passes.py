"""What each pass gains: the compiled step with one left out at a time."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import tinygrad_mnist
from tinygrad_mnist.app.models import MODELS
from tinygrad_mnist.compiler import autotune, build
from tinygrad_mnist.compiler.passes import fusion

from .contest import prepare, right_loss
from .race import Result, race, result, start, table
from .tasks import Contestant, Epoch, Task
from .torchlike import module_step, over


@dataclass(frozen=True)
class Change:
    """A compiler with something left out while `patch` holds."""

    name: str
    patch: Callable[[], Any]


def _alone(waiting: list[Any], ready: Callable[[Any, set[Any]], bool]) -> fusion.Loop:
    """A loop of one instruction."""
    first = next(i for i in waiting if fusion._can_loop(i) and ready(i, set()))
    reduces = first.op in ("sum", "amax", "amin", "pick")
    loop = fusion.Loop(first.inputs[0].shape if reduces else first.output.shape)
    loop.admit(first)
    return loop


def changes() -> Iterator[Change]:
    """Each pass left out, wherever it runs; then fusion, and our own products."""
    for name in dict.fromkeys(step.__name__ for step in build.PASSES):
        kept = tuple(step for step in build.PASSES if step.__name__ != name)
        yield Change(f"without {name}", lambda kept=kept: mock.patch.object(build, "PASSES", kept))
    yield Change("without fusion", lambda: mock.patch.object(fusion, "_grow", _alone))
    yield Change(
        "without our own products",
        lambda: mock.patch.object(autotune.Product, "best", lambda self: self.candidates()[0]),
    )


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _with(change: Change, stats: dict[str, Any]) -> Contestant:
    """The compiled step, compiled with the change. What it warns of is kept with its figures."""

    def make(task: Task) -> Epoch:
        step = tinygrad_mnist.compile(module_step(tinygrad_mnist, MODELS, task))
        with change.patch(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            epoch = over(tinygrad_mnist, task, step)
            loss = epoch()
        stats[change.name] = asdict(step.stats) | {
            "warnings": [str(each.message) for each in caught]
        }
        return _first_given(loss, epoch)

    return Contestant(change.name, make)


def _first_given(loss: float, epoch: Epoch) -> Epoch:
    """An epoch whose first call gives the loss of one that was trained already."""
    known = [loss]
    return lambda: known.pop() if known else epoch()


def _tell(results: list[Result], stats: dict[str, Any]) -> None:
    print(f"{'':32}{'instructions':>13}{'loops':>7}{'calls':>7}{'temporaries':>13}{'KiB':>9}")
    for each in results:
        found = stats[each.name]
        if not found["instructions"]:
            print(f"{each.name:32}  {'; '.join(found['warnings']) or 'not compiled'}")
            continue
        figures = (found[key] for key in ("instructions", "loops", "calls", "temporaries"))
        numbers = "{:13}{:7}{:7}{:13}".format(*figures)
        print(f"{each.name:32}{numbers}{found['temporary_bytes'] / 1024:9.1f}")


def run(names: Sequence[str], threads: int, rounds: int, file: Path | None) -> int:
    """For each task: the step as it is beside the step without each pass."""
    report: dict[str, Any] = {"unit": "µs", "threads": threads, "tasks": {}}
    for task in prepare(names, threads):
        stats: dict[str, Any] = {}
        whole = Change("all passes", _nothing)
        contestants = [_with(change, stats) for change in (whole, *changes())]
        favourite, *others = start(contestants, task)
        race(favourite, others, task.steps, rounds)
        loss = right_loss(task)
        results = [result(favourite, loss, favourite=True), *(result(o, loss) for o in others)]
        print(table(f"\n{task.name}", results, loss))
        _tell([each for each in results if each.name in stats], stats)
        report["tasks"][task.name] = {"results": [asdict(r) for r in results], "stats": stats}
    if file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0
