"""How fast is it, beside whom? Every figure of the pages comes from here.

  python -m benchmarks                    the quick run: five jobs, everyone, under ten minutes
  python -m benchmarks --full             every job, batch 1 to 4096, widths, depths
  python -m benchmarks --list             the jobs and the contestants
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
from collections.abc import Container, Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    parsed = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parsed.add_argument("what", nargs="?", choices=("measure", "compare", "show", "page"),
                        default="measure", help="default: measure")  # fmt: skip
    parsed.add_argument("files", nargs="*", type=Path, metavar="FILE", help="results to read")
    parsed.add_argument("--full", action="store_true", help="every job")
    parsed.add_argument("--only", nargs="+", metavar="JOB", help="these jobs, as logistic-256")
    parsed.add_argument("--contestants", nargs="+", metavar="NAME",
                        help="these alone, by a part of their name")  # fmt: skip
    parsed.add_argument("--threads", type=int, default=1, help="of each library, default: 1")
    parsed.add_argument("--rounds", type=int, default=9, help="default: 9")
    parsed.add_argument("--list", action="store_true", help="tell jobs and contestants, and stop")
    parsed.add_argument("--output", type=Path, metavar="FILE",
                        help="default: benchmarks/results/DATE-MACHINE-THREADS.json")  # fmt: skip
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 0 where it was done, 2 where it cannot be asked so."""
    asked = parser()
    options = asked.parse_args(arguments)
    if options.rounds < 1 or options.threads < 1:
        asked.error("--rounds and --threads are 1 or more")
    try:
        if options.what == "measure":
            return _measure(options)
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
    from . import contestants, jobs, measure, results, tables

    known = contestants.load()
    wanted = options.contestants or [""]
    rivals = [n for n in known if n in wanted or any(_is_part(p, n, known) for p in wanted)]
    names = options.only or (measure.FULL if options.full else measure.QUICK)
    if not rivals:
        raise ValueError(f"nobody is named so; there are {', '.join(known)}")
    if options.list:
        print("jobs:", *measure.FULL, sep="\n  ")
        print("contestants:", *known, sep="\n  ")
        return 0
    digits = measure.load_digits()
    for name in names:
        jobs.make(name, digits[0][:1], digits[1][:1])

    def keep(report: results.Report) -> None:
        results.write(report, options.output or results.FOLDER / results.file_name(report))

    report = measure.measure(names, rivals, options.threads, options.rounds, digits, keep)
    path = options.output or results.FOLDER / results.file_name(report)
    print(*tables.text(report), sep="\n")
    print(f"\nwritten: {path}")
    return 0


def _is_part(part: str, name: str, known: Container[str]) -> bool:
    """Whether a contestant is meant by a part of its name; a whole name means itself alone."""
    return part not in known and part.lower() in name.lower()


def _compare(before: Path, after: Path) -> int:
    from . import compare, results

    print(*compare.told(results.read(before), results.read(after)), sep="\n")
    return 0


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
