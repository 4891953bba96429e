"""Who is how fast: all in turn in short blocks, each beside a block of the one compared with."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from .tasks import Contestant, Epoch, Task

TOLERANCE = 2e-3
"""How far, relatively, the last loss of the first epoch may lie from that in double precision."""


@dataclass
class Runner:
    """A contestant at a task: its blocks so far, or why it does not run."""

    name: str
    epoch: Epoch | None = None
    missing: str = ""
    warning: str = ""
    loss: float = float("nan")
    seconds: list[float] = field(default_factory=list)
    """Of a step, in each block."""
    ratios: list[float] = field(default_factory=list)
    """To the block of the favourite just before."""
    cpu: list[float] = field(default_factory=list)
    """CPU seconds of a step, in each block: other programs do not add to them."""
    cpu_ratios: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """A contestant's medians; `ratio` is how often its step fits into the favourite's."""

    name: str
    microseconds: float | None
    ratio: float | None
    cpu_microseconds: float | None
    cpu_ratio: float | None
    loss: float | None
    same_loss: bool
    missing: str
    warning: str = ""


def start(contestants: Iterable[Contestant], task: Task) -> list[Runner]:
    """Build each contestant and train one epoch: whoever fails keeps the reason."""
    runners = []
    for contestant in contestants:
        runner = Runner(contestant.name)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                epoch = contestant.make(task)
                runner.loss = epoch()
            runner.epoch = epoch
            told = (str(each.message) for each in caught if each.category is UserWarning)
            runner.warning = "; ".join(dict.fromkeys(told))[:200]
        except ModuleNotFoundError as error:
            runner.missing = f"{error.name} is not installed; the extra `benchmark` brings it"
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            runner.missing = f"{type(error).__name__}: {lines[0][:200]}"
        runners.append(runner)
    return runners


def run_block(epoch: Epoch, steps: int) -> tuple[float, float]:
    """Seconds and CPU seconds a step of one epoch, after one that is not measured."""
    epoch()
    cpu, begin = time.process_time(), time.perf_counter()
    epoch()
    end, cpu_end = time.perf_counter(), time.process_time()
    return (end - begin) / steps, (cpu_end - cpu) / steps


def race(
    favourite: Runner,
    others: list[Runner],
    steps: int,
    rounds: int,
    between: Callable[[], object] = lambda: None,
) -> None:
    """Let everyone run in turn; before each other's block the favourite runs one."""
    ready = [runner for runner in others if runner.epoch is not None]
    for number in range(rounds):
        between()
        for runner in ready[number % len(ready) :] + ready[: number % len(ready)]:
            assert runner.epoch is not None
            assert favourite.epoch is not None
            mine, my_cpu = run_block(favourite.epoch, steps)
            favourite.seconds.append(mine)
            favourite.cpu.append(my_cpu)
            theirs, their_cpu = run_block(runner.epoch, steps)
            runner.seconds.append(theirs)
            runner.ratios.append(theirs / mine)
            runner.cpu.append(their_cpu)
            runner.cpu_ratios.append(their_cpu / my_cpu)


def result(runner: Runner, loss: float, favourite: bool = False) -> Result:
    """A runner's medians, and whether it reached the loss."""
    if runner.epoch is None:
        return Result(runner.name, None, None, None, None, None, False, runner.missing)
    same = abs(runner.loss - loss) <= TOLERANCE * abs(loss)
    return Result(
        runner.name,
        median(runner.seconds) * 1e6,
        1.0 if favourite else median(runner.ratios),
        median(runner.cpu) * 1e6,
        1.0 if favourite else median(runner.cpu_ratios),
        runner.loss,
        same,
        "",
        runner.warning,
    )


def table(title: str, results: list[Result], loss: float) -> str:
    """The results as text, one a line."""
    lines = [title, f"{'':32}{'µs a step':>11}{'ratio':>8}{'CPU µs':>10}{'ratio':>8}{'loss':>10}"]
    for each in results:
        if each.microseconds is None:
            lines.append(f"{each.name:32}  does not run: {each.missing}")
            continue
        numbers = (
            f"{each.microseconds:11.1f}{each.ratio:8.2f}"
            f"{each.cpu_microseconds:10.1f}{each.cpu_ratio:8.2f}{each.loss:10.5f}"
        )
        wrong = "" if each.same_loss else f"  WRONG LOSS, {loss:.5f} is right"
        lines.append(f"{each.name:32}{numbers}{wrong}")
        if each.warning:
            lines.append(f"{'':34}warned: {each.warning}")
    return "\n".join(lines)
