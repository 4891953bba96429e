"""Waiting no longer than one wants to."""

import threading
import time

import pytest

from tinygrad_mnist.app.datasets.download import within


def test_results_and_errors_come_through() -> None:
    assert within(5.0, lambda cancelled: cancelled.is_set()) is False
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda cancelled: 1 // 0)


def test_work_that_hears_of_it_ends() -> None:
    heard = threading.Event()

    def work(cancelled: threading.Event) -> None:
        cancelled.wait(30)
        heard.set()

    with pytest.raises(TimeoutError, match=r"not done within 0\.05 s"):
        within(0.05, work)
    assert heard.is_set()


def test_work_that_hangs_is_left_behind() -> None:
    release = threading.Event()
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.05, lambda cancelled: release.wait(30))
    assert time.monotonic() - before < 30
    release.set()
