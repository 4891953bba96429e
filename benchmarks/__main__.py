"""How fast is it, beside whom? Every figure of the pages comes from here.

  python -m benchmarks                    the quick run: five jobs, everyone, some ten minutes
  python -m benchmarks --full             every job, batch 1 to 4096, widths, depths; what follows
  python -m benchmarks operations         each operation beside PyTorch's, small and large
  python -m benchmarks costs              importing, first steps, memory of a record, long chains
  python -m benchmarks passes             the compiled step without each of the compiler's passes
  python -m benchmarks --list             the jobs and the contestants
  python -m benchmarks accuracy           seconds from a process's start to an accuracy on MNIST
  python -m benchmarks regression         our stages beside NumPy: 1 where one became slower
  python -m benchmarks compare A B        what became faster or slower from one file to another
  python -m benchmarks show FILE          a file of results as tables
  python -m benchmarks page               docs/speed.md and its pictures from the files they name

Each contestant runs in a process of its own, with the same threads, weights and digits; whoever
misses the loss of double precision does not count, and whoever cannot run is a row with the reason.
Rounds go A B C, B C A, …; a ratio is the median over rounds, with the middle 95 % of a bootstrap.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .results import Report


MEASURED = ("jobs", "operations", "costs", "passes", "accuracy")
WHATS = (*MEASURED, "regression", "compare", "show", "page")


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    parsed = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parsed.add_argument("what", nargs="?", choices=WHATS, default="jobs", help="default: jobs")
    parsed.add_argument("files", nargs="*", type=Path, metavar="FILE", help="results to read")
    parsed.add_argument("--full", action="store_true", help="every job")
    parsed.add_argument("--only", nargs="+", metavar="JOB", help="these jobs, as logistic-256")
    parsed.add_argument("--contestants", nargs="+", metavar="NAME",
                        help="these alone, by a part of their name")  # fmt: skip
    parsed.add_argument("--threads", type=int, default=1, help="of each library, default: 1")
    parsed.add_argument("--rounds", type=int, default=9, help="default: 9")
    parsed.add_argument("--list", action="store_true", help="tell jobs and contestants, and stop")
    parsed.add_argument("--output", type=Path, metavar="FILE",
                        help="default: build/DATE-MACHINE-THREADS.json; what "
                        "it holds of other jobs or kinds stays in it")  # fmt: skip
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 0 where it was done, 2 where it cannot be asked so."""
    asked = parser()
    options = asked.parse_args(arguments)
    if options.rounds < 1 or options.threads < 1:
        asked.error("--rounds and --threads are 1 or more")
    try:
        if options.what in MEASURED:
            return _measure(options)
        if options.what == "regression":
            return _regression()
        if options.what == "page":
            return _page()
        needed = 2 if options.what == "compare" else 1
        if len(options.files) != needed:
            asked.error(f"{options.what} reads {needed} file{'s' * (needed > 1)} of results")
        return _compare(*options.files) if options.what == "compare" else _show(options.files[0])
    except (ValueError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: interrupted; the jobs that were done are written", file=sys.stderr)
        return 130


def _measure(options: argparse.Namespace) -> int:
    """Measure what is asked for, and write it as it is found."""
    from tinygrad_mnist.tools.bench.machine import describe

    from . import contestants, jobs, machine, measure, results, tables

    rivals = _rivals(options.contestants, list(contestants.load()))
    if options.list:
        print("jobs:", *measure.FULL, sep="\n  ")
        print("contestants:", *rivals, sep="\n  ")
        return 0
    report = results.begin(describe(machine.PACKAGES), options.threads, options.rounds)
    path = options.output or results.NEW / results.file_name(report)
    for name in options.only or () if options.what == "jobs" else ():
        jobs.check(name)
    results.take_over(report, path)
    asked = MEASURED[:-1] if options.full else (options.what,)
    for what in asked:
        _MEASURES[what](options, report, rivals, path)
        results.write(report, path)
    print(*tables.text(report), sep="\n")
    print(f"\nwritten: {path}")
    return 0


def _jobs(options: argparse.Namespace, report: Report, rivals: list[str], path: Path) -> None:
    from . import measure, results

    names = options.only or (measure.FULL if options.full else measure.QUICK)
    digits = measure.load_digits()
    measure.measure(report, names, rivals, digits, lambda found: results.write(found, path))


def _operations(options: argparse.Namespace, report: Report, rivals: list[str], path: Path) -> None:
    from . import measure

    measure.measure_operations(report)


def _passes(options: argparse.Namespace, report: Report, rivals: list[str], path: Path) -> None:
    from . import measure

    measure.measure_passes(report)


def _costs(options: argparse.Namespace, report: Report, rivals: list[str], path: Path) -> None:
    from . import costs, measure

    found = costs.measure(options.threads, options.rounds, measure.load_digits())
    report["costs"] = list(found)


def _accuracy(options: argparse.Namespace, report: Report, rivals: list[str], path: Path) -> None:
    """A run a seed, `--rounds` of them, of the models that `--only` names, or of all.

    A file keeps what it has of other models and contestants: slow ones may run fewer seeds.
    """
    from tinygrad_mnist.tools.mnist_files import named_folder

    from . import accuracy

    models, folder = options.only or [*accuracy.AIMS], named_folder()
    if not accuracy.AIMS.keys() >= set(models):
        raise ValueError(f"accuracy is measured of {', '.join(accuracy.AIMS)}")
    if folder is None:
        raise ValueError("set TINYGRAD_MNIST_DATA to a folder that holds MNIST's four IDX files")
    found = accuracy.measure(rivals, models, options.rounds, folder, options.threads)
    asked = {(e["model"], e["contestant"]) for e in found}
    others = [e for e in report["accuracy"] if (e["model"], e["contestant"]) not in asked]
    report["accuracy"] = [*others, *found]
    print(*accuracy.suspicious(found), sep="\n")


_MEASURES = {"jobs": _jobs, "operations": _operations, "costs": _costs, "passes": _passes,
             "accuracy": _accuracy}  # fmt: skip


def _rivals(wanted: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Who is meant by parts of names; a whole name means itself alone."""
    parts = [part.lower() for part in wanted or [""] if part not in known]
    found = [n for n in known if n in (wanted or ()) or any(p in n.lower() for p in parts)]
    if not found:
        raise ValueError(f"nobody is named so; there are {', '.join(known)}")
    return found


def _compare(before: Path, after: Path) -> int:
    from . import compare, results

    print(*compare.told(results.read(before), results.read(after)), sep="\n")
    return 0


def _regression() -> int:
    from . import regression

    return regression.main()


def _page() -> int:
    from . import page

    print(*page.write(), sep="\n")
    return 0


def _show(path: Path) -> int:
    from . import results, tables

    print(*tables.text(results.read(path)), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
