"""The command `tinygrad-mnist`: thin, everything it does can be imported from elsewhere."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command with the program's arguments, and exits.

    The exit code is 0; 1 when data or a file is at fault, or a loss is not finite; 2 when the
    command was not understood; 130 after Ctrl-C.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before the program began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    output = os.dup(sys.stdout.fileno())  # rich puts another in its place when it is closed
    code = _run()
    try:
        sys.stdout.flush()
        if code == 1:
            _end_if_nobody_reads(output)
    except OSError as error:
        _end_if_nobody_reads(output)
        if not code:
            sys.stderr.write(f"error: {error}\n")
        # What is left in the buffer goes nowhere, or Python would fail on it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    raise SystemExit(code)


def _end_if_nobody_reads(output: int) -> None:
    from tinygrad_mnist.tools.scripts.running import die_of_pipe, nobody_reads

    if nobody_reads(output):
        die_of_pipe()


def _run() -> int | str | None:
    """Runs the command, and returns its exit code."""
    try:
        from .app import app

        app()
    except SystemExit as end:
        return end.code
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130
    return 0
