"""A child that was forked while other threads held locks."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.engine import backward_pass
from tinygrad_mnist.engine.observer import OBSERVERS, observe
from tinygrad_mnist.kernels import locks
from tinygrad_mnist.random import default_generator

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")


def forked(function):
    """The exit status of a child that calls `function`; it is killed if it does not end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    for _ in range(500):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


double = torch.compile(lambda x: x * 2)


def uses_everything():
    assert double(torch.ones(3)).tolist() == [2, 2, 2]
    torch.rand(2)
    w = torch.ones(2, requires_grad=True)
    (w * w).sum().backward()
    assert w.grad.tolist() == [2, 2]
    assert not OBSERVERS


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("for_ever", [False, True], ids=["released in time", "kept"])
def test_a_child_works_whatever_other_threads_of_its_parent_held(monkeypatch, for_ever):
    from numba.core.compiler_lock import global_compiler_lock

    held = [backward_pass._accumulation, default_generator._stream.lock, double._lock,
            global_compiler_lock._lock]  # fmt: skip
    holds, released = threading.Event(), threading.Event()

    def hold():
        for lock in held:
            lock.acquire()
        with observe(lambda *_: None):
            holds.set()
            released.wait(0.1 + 60 * for_ever)
        for lock in reversed(held):
            lock.release()

    if for_ever:
        monkeypatch.setattr(locks, "_LONG", 0.01)
        monkeypatch.setattr(locks, "_SHORT", 0.01)
    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait()
    assert forked(uses_everything) == 0
    released.set()
    thread.join()
    uses_everything()


def test_what_a_lock_guards_is_whole_in_the_child():
    halves = np.zeros(2)
    lock = locks.held_through_fork(threading.Lock())
    stop = threading.Event()

    def change():
        while not stop.is_set():
            with lock:
                halves[0] += 1
                time.sleep(1e-4)
                halves[1] += 1

    thread = threading.Thread(target=change)
    thread.start()

    def are_alike():
        assert halves[0] == halves[1]
        assert lock.acquire(timeout=1)

    found = [forked(are_alike) for _ in range(10)]
    stop.set()
    thread.join()
    assert found == [0] * 10
