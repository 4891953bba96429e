"""The bar: for people at a terminal, and for nobody else."""

import io
import sys

import pytest

from tinygrad_mnist.app.datasets.download import download_bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_bar_and_respects_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    with download_bars() as report:
        report("mnist.pkl.gz", 500, 1000)
        report("mnist.pkl.gz", 1000, 1000)
    assert "mnist.pkl.gz" in terminal.getvalue()
    assert "1.0/1.0 kB" in terminal.getvalue()
    assert "\x1b[3" not in terminal.getvalue()  # no colour


def test_a_pipe_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with download_bars() as report:
        report("mnist.pkl.gz", 500, None)
    assert capfd.readouterr() == ("", "")
