"""How large a piece of a shared loop is: measured once a machine, for each number of threads.

A loop is cut in two, of ever more multiplications, until the team computes it in less than three
quarters of one thread's time, and does not lose a tenth where it must be woken first. What was
found is kept beside the compiled code, by the processor, the versions and the number of threads.
Where nothing was measured yet, other programs use the cores, or nothing is gained, it is
`team.LEAST`; the next process tries.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from . import cache_folder, native_code, products, sources, team
from .loop import signatures

HELP: Final = "kernels.team_code.work"
"""What a helper does, by its source."""
_LOOP: Final = "products.times_transposed"
_SIZES: Final = [1 << n for n in range(15, 21)]
_DEPTH, _COLUMNS = 64, 8
_TRIES: Final = 10
_ASLEEP: Final = 2e-4
"""Seconds after which helpers sleep."""
_GAIN, _LOSS = 0.75, 1.1


@functools.cache
def for_threads(threads: int) -> int:
    """Multiplications worth a piece of their own."""
    folder = cache_folder.for_code("code")
    if folder is None or threads < 2:
        return team.LEAST
    cores = len(os.sched_getaffinity(0))
    file = native_code.file_for(folder, "size", sources.digest(HELP), str(threads), str(cores))
    with contextlib.suppress(OSError, ValueError):
        if (found := int(cache_folder.read(file))) in _SIZES:
            return found
    measured = None if _are_busy(cores) else _measured(folder)
    if measured is not None:
        cache_folder.keep(file, str(measured).encode())
    return measured or team.LEAST


def _are_busy(cores: int) -> bool:
    try:
        return os.getloadavg()[0] > cores
    except OSError:  # the system does not tell
        return True


def _measured(folder: Path) -> int | None:
    """The smallest size that pays; None if none does, or the loop was not compiled yet."""
    stamp = sources.digest(f"kernels.{_LOOP}")
    (signature,) = signatures(products.SIGNATURE)
    code = native_code.load(native_code.file_for(folder, _LOOP, stamp, signature))
    if code is None:
        return None
    return next((size for size in _SIZES if _pays(code.entry, size)), None)


def _pays(loop: Callable[..., Any], size: int) -> bool:
    """Whether two pieces of this size are computed faster by two threads than by one."""
    a = np.ones((2 * size // (_DEPTH * _COLUMNS), _DEPTH), np.float32)
    b, out = np.ones((_COLUMNS, _DEPTH), np.float32), np.empty((len(a), _COLUMNS), np.float32)

    def seconds(worth: int, pause: float = 0) -> float:
        time.sleep(pause)
        team.set_worth(worth)
        begin = time.perf_counter()
        loop(a, b, out)
        return time.perf_counter() - begin

    alone, together, asleep_alone, asleep = (
        np.quantile([seconds(*each) for _ in range(_TRIES)], 0.25)
        for each in ((3 * size,), (size,), (3 * size, _ASLEEP), (size, _ASLEEP))
    )
    return bool(together < _GAIN * alone and asleep < _LOSS * asleep_alone)
