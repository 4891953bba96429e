"""The command `tinygrad-mnist`: thin, everything it does can be imported from elsewhere."""

import sys

__all__ = ["main"]

INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


def main() -> None:
    """Runs the command with the program's arguments, and exits.

    The exit code is 0; 1 when data or a file is at fault; 2 when the command was not understood;
    130 after Ctrl-C.
    """
    try:
        from tinygrad_mnist.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        raise SystemExit(INTERRUPTED) from None
