"""What `background` starts: a process that compiles one program, and keeps it on the disk."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import IO

import numpy as np

from .native import Single

_WRITEABLE = 0x400


def _end_with(parent: IO[bytes]) -> None:
    """End this process when the other one has closed the pipe, which it never writes to again."""
    parent.read()
    os._exit(1)


def main() -> None:
    """Compile what the first line of standard input says."""
    parent = sys.stdin.buffer
    job = json.loads(parent.readline())
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(5)
    arrays = []
    for dtype, dimensions, _, flags in (kind.split() for kind in job["arrays"]):
        array = np.zeros((2,) * int(dimensions), dtype)
        array.flags.writeable = bool(int(flags, 16) & _WRITEABLE)
        arrays.append(array)
    Single(job["text"], frozenset(job["fastmath"])).code(arrays)
    os._exit(0)  # nobody waits for the pipe


if __name__ == "__main__":
    main()
