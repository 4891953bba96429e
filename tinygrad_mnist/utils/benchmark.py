"""Timing statements: `Timer`, on Python's timeit, and the `Measurement` that it gives."""

from __future__ import annotations

import dataclasses
import importlib
import textwrap
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.hardware.settings import get_num_threads, set_num_threads
from tinygrad_mnist.names import lazily

__all__ = ["Measurement", "Timer"]
__getattr__, __dir__ = lazily("tinygrad_mnist.utils.benchmark", {})


@dataclasses.dataclass(repr=False)
class Measurement:
    """How long runs took, in seconds: `raw_times` are those of `number_per_run` calls each."""

    number_per_run: int
    raw_times: list[float]
    label: str
    description: str | None = None
    setup: str = "pass"
    num_threads: int = 1

    @property
    def times(self) -> list[float]:
        """The time of a call, by run."""
        return [each / self.number_per_run for each in self.raw_times]

    @property
    def mean(self) -> float:
        """The mean time of a call."""
        return float(np.mean(self.times))

    @property
    def median(self) -> float:
        """The time of a call in the middle run."""
        return float(np.median(self.times))

    @property
    def iqr(self) -> float:
        """The range of the middle half of the runs."""
        low, high = np.quantile(self.times, [0.25, 0.75])
        return float(high - low)

    def __repr__(self) -> str:
        number, median = len(self.raw_times), self.median
        scale, unit = next((s, u) for s, u in _UNITS if median >= s or u == "ns")
        low, high = np.quantile(self.times, [0.25, 0.75]) / scale
        many, setup = "s" if number > 1 else "", f" {self.setup}"
        if "\n" in setup:
            setup = f"\n{textwrap.indent(self.setup, '  ')}\n"
        runs = f"{self.number_per_run} runs {'per measurement' if many else ''}"
        threads = f"{self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        lines = [
            object.__repr__(self), self.label, self.description or "",
            "" if self.setup in ("", "pass") else f"setup:{setup}",
            f"  {'Median: ' if many else ''}{median / scale:.2f} {unit}",
            f"  IQR:    {high - low:.2f} {unit} ({low:.2f} to {high:.2f})" if number >= 4 else "",
            f"  {number} measurement{many}, {runs}, {threads}",
        ]  # fmt: skip
        if (spread := self.iqr / median) >= 0.1:
            share = f"{spread * 100:.1f}% of the median measurement."
            lines.append(f"  WARNING: Interquartile range is {share}")
            guess = "could indicate system fluctuation"
            guess = guess if spread < 0.25 else "suggests significant environmental influence"
            lines.append(f"           This {guess}.")
        return "\n".join(line for line in lines if line)


_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


class Timer:
    """Times a statement, given as text, with the names in `globals`, on `num_threads` threads.

    >>> timer = torch.utils.benchmark.Timer("x + 1", globals={"x": torch.ones(2)})
    >>> timer.timeit(10).median > 0
    True
    """

    def __init__(
        self, stmt: str = "pass", setup: str = "pass", global_setup: str = "",
        timer: Callable[[], float] = timeit.default_timer, globals: dict[str, Any] | None = None,
        label: str | None = None, sub_label: str | None = None, description: str | None = None,
        env: str | None = None, num_threads: int = 1, language: str = "python",
    ) -> None:  # fmt: skip
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if language not in ("py", "python") or global_setup:
            raise NotImplementedError("Timer measures statements of Python alone")
        names = {"torch": importlib.import_module("tinygrad_mnist")} | (globals or {})
        stmt, setup = (textwrap.dedent(text).removeprefix("\n").rstrip() for text in (stmt, setup))
        self._timer = timeit.Timer(stmt, setup, timer, names)
        below = f" ({sub_label})" if sub_label else ""
        title = f"{label or stmt}: {sub_label}" if sub_label else label or stmt
        if label is None and "\n" in stmt:
            title = f"stmt:{below}\n{textwrap.indent(stmt, '  ')}\n"
        self._about: dict[str, Any] = {"label": title, "description": description, "setup": setup,
                       "num_threads": num_threads}  # fmt: skip

    def _runs(self, number: int, until: Callable[[list[float]], bool]) -> Measurement:
        """Runs of `number` calls until it is enough, on the threads asked for."""
        before = get_num_threads()
        set_num_threads(self._about["num_threads"])
        times: list[float] = []
        try:
            self._timer.timeit(max(number // 100, 2))
            while not times or not until(times):
                times.append(max(self._timer.timeit(number), 1e-9))
        finally:
            set_num_threads(before)
        return Measurement(number, times, **self._about)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One run of `number` calls, after a few that do not count."""
        return self._runs(number, lambda times: True)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Runs for `min_run_time` seconds, each so long that reading the clock costs nothing."""
        number = 1
        while number < 10**9:
            taken = self._runs(number, lambda times: True).raw_times[0]
            if taken >= min(1e-4, min_run_time / 1000) * 10 or taken >= min_run_time / 10:
                break
            number *= 10
        found = self._runs(number, lambda times: sum(times) >= min_run_time)
        for each in found.raw_times if callback else ():
            callback(number, each)  # type: ignore[misc]
        return found
