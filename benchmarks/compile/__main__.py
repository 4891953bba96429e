"""How fast a compiled training step is beside other engines, in one run.

  python -m benchmarks.compile              every task, every engine, the marks that must be reached
  python -m benchmarks.compile passes       the compiled step with one pass left out at a time
  python -m benchmarks.compile cold         compile seconds, cold and cached, and peak memory

All start from the same weights and see the same batches of MNIST (or of synthetic digits, which is
told). Engines take turns in short blocks: an epoch that is not measured, then one that is; before
each block of another, the compiled step has one. Shown are the median microseconds of a step, the
median of the ratios of neighbouring blocks (3.0: three of our compiled steps fit into one of
theirs), both again in CPU time, which other programs disturb less, and the loss after the first
epoch. Whoever does not reach the loss of NumPy in double precision is marked, and whoever does not
run is told, with the reason. The extra `benchmark` installs JAX and HIPS autograd.

With --threads 1, BLAS, OpenMP, PyTorch and XLA are all told to use one thread. Not all obey: where
CPU microseconds exceed microseconds, more than one core worked (JAX on convolutions). With two
threads on a machine that others use too, PyTorch's threads wait for each other: believe no figure.

With --cuda, PyTorch and JAX race on a GPU as well. Weights and digits lie in its memory beforehand,
products are made of float32, not of TF32, and a block ends when its last loss is with the CPU.
"""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Sequence
from pathlib import Path

from .settings import SETTINGS


def limit_threads(threads: int, cuda: bool) -> None:
    """Tell every library how many threads it has; before any of them is imported."""
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    if threads == 1:
        os.environ["XLA_FLAGS"] = flags
    os.environ.setdefault("JAX_PLATFORMS", "cpu,cuda" if cuda else "cpu")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and writes JSON if asked to; 1 where a mark is not reached."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what", nargs="?", choices=("race", "passes", "cold"), default="race", help="default: race"
    )
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1, help="default: 1")
    parser.add_argument("--cuda", action="store_true", help="PyTorch and JAX on a GPU race too")
    parser.add_argument("--rounds", type=int, default=9, help="blocks of each, default: 9")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SETTINGS,
        default=list(SETTINGS),
        metavar="NAME",
        help=f"of {', '.join(SETTINGS)}",
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; expected 1 or more")
    if options.cuda and options.what != "race":
        parser.error(f"--cuda is for the race alone, not for {options.what}")
    limit_threads(options.threads, options.cuda)
    from . import cold, contest, on_cuda, passes

    if options.cuda and not on_cuda.is_there():
        parser.error("--cuda: PyTorch finds no CUDA device here")
    race = functools.partial(contest.run, cuda=options.cuda)
    run = {"race": race, "passes": passes.run, "cold": cold.run}[options.what]
    return run(options.only, options.threads, options.rounds, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
