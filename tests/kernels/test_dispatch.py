"""When NumPy hands over to the compiled loops."""

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from tests.kernels.twins import computed_by
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch, softmax

SMALL = np.ones((4, 3), np.float32)


@pytest.fixture
def fresh(monkeypatch):
    """The switch of a process that has just started, on a machine that never compiled."""
    state = SimpleNamespace(prepared=0)

    def prepare():
        state.prepared += 1

    for loops in (dispatch.base, dispatch.images):
        monkeypatch.setattr(loops, "on", False)
        monkeypatch.setattr(loops, "undecided", True)
        monkeypatch.setattr(loops, "wanted", False)
        monkeypatch.setattr(loops, "calls", 0)
    monkeypatch.setattr(dispatch, "prepare", prepare)
    monkeypatch.setattr(dispatch, "_note", lambda group: None)
    monkeypatch.setattr(dispatch, "_used_before", lambda group: False)
    return state


def run(code, **environment):
    """Run a program in a process of its own; its output, and what it wrote on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_the_thousandth_call_switches(fresh):
    for _ in range(dispatch.PATIENCE - 1):
        assert not dispatch.base.consider(10**9)
    assert fresh.prepared == 0
    assert dispatch.base.consider(1)
    assert dispatch.base.on
    assert fresh.prepared == 1


def test_calls_of_all_kernels_count(fresh):
    for _ in range(5):
        kernels.log_softmax(SMALL)
        kernels.log_softmax_backward(SMALL, SMALL)
        kernels.nll_loss(SMALL, np.zeros(4, np.int64))
        kernels.nll_loss_backward(np.ones((), np.float32), np.zeros(4, np.int64), 3)
        kernels.sum_rows(SMALL)
        kernels.sum_columns(SMALL)
        kernels.sgd_update(SMALL.copy(), SMALL, 0.1)
        kernels.matmul(np.ones((64, 784), np.float32), np.ones((784, 10), np.float32))
    assert dispatch.base.calls == 40


def test_a_large_call_switches_where_the_loops_were_used_before(fresh, monkeypatch):
    monkeypatch.setattr(dispatch, "_used_before", lambda group: True)
    assert not dispatch.base.consider(dispatch.LARGE - 1)
    assert dispatch.base.consider(dispatch.LARGE)


def test_what_was_used_before_follows_the_others(fresh, monkeypatch):
    monkeypatch.setattr(dispatch, "_used_before", lambda group: True)
    assert not dispatch.images.consider(1)
    monkeypatch.setattr(dispatch.base, "on", True)
    monkeypatch.setattr(dispatch.base, "undecided", False)
    assert dispatch.images.consider(1)


def test_warm_up_switches_once(fresh):
    assert kernels.warm_up()
    assert kernels.warm_up()
    assert fresh.prepared == 1


def test_the_loops_for_images_follow_at_their_first_call(fresh):
    assert kernels.warm_up()
    assert fresh.prepared == 1
    assert not dispatch.images.on
    assert dispatch.images.consider(1)
    assert fresh.prepared == 2


def test_a_failure_is_one_line_and_numpy_goes_on(fresh, monkeypatch, capsys):
    def fail(*_):
        raise ImportError("no module named numba")

    monkeypatch.setattr(dispatch, "prepare", fail)
    assert not kernels.warm_up()
    assert not kernels.warm_up()
    assert not dispatch.base.consider(1)
    assert not dispatch.images.consider(1)
    assert capsys.readouterr().err == (
        "tinygrad_mnist: goes on with NumPy alone, as Numba fails here: no module named numba\n"
    )
    np.testing.assert_allclose(kernels.log_softmax(SMALL), -np.log(3), rtol=1e-6)


def test_other_threads_go_on_while_one_compiles(fresh, monkeypatch):
    compiling, finish = threading.Event(), threading.Event()

    def load(*_):
        compiling.set()
        assert finish.wait(60)

    monkeypatch.setattr(dispatch, "prepare", load)
    thread = threading.Thread(target=kernels.warm_up)
    thread.start()
    assert compiling.wait(60)
    monkeypatch.setattr(dispatch.base, "calls", dispatch.PATIENCE)
    assert not dispatch.base.consider(1)
    finish.set()
    thread.join()
    assert dispatch.base.on


def test_numpy_computes_meanwhile(fresh):
    assert kernels.warm_up()
    with dispatch.by_numpy():
        with dispatch.by_numpy():
            assert not dispatch.base.ready(10**9, np.dtype(np.float32))
        assert not dispatch.images.ready(10**9, np.dtype(np.float32))
        assert kernels.warm_up()
        assert dispatch.images.switch()
        assert not dispatch.images.on
    assert dispatch.base.on
    assert dispatch.images.on
    assert dispatch.base.calls == 0


def test_an_error_ends_what_numpy_computes(fresh):
    assert kernels.warm_up()
    with pytest.raises(ZeroDivisionError), dispatch.by_numpy():
        raise ZeroDivisionError
    assert dispatch.base.on


def test_a_loop_says_no_to_other_types():
    for dtype in (np.float16, np.int64):
        with pytest.raises(TypeError, match="no loop of _log_softmax_loop is for"):
            softmax._log_softmax_loop(np.ones((2, 3), dtype), np.ones((2, 3), dtype))


def test_loops_run_in_several_threads_at_once():
    rng = np.random.default_rng(0)
    batches = rng.standard_normal((8, 64, 784)).astype(np.float32)
    weights = rng.standard_normal((784, 10)).astype(np.float32)
    with computed_by("numba"):
        expected = [kernels.log_softmax(kernels.matmul(batch, weights)) for batch in batches]
        results = [[None] * 50 for _ in batches]

        def work(number):
            for repeat in range(50):
                product = kernels.matmul(batches[number], weights)
                results[number][repeat] = kernels.log_softmax(product)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, repeats in enumerate(results):
        for repeat in repeats:
            np.testing.assert_array_equal(repeat, expected[number])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_loops_run_in_a_forked_process():
    code = """
import os
import numpy as np
from tinygrad_mnist import kernels

kernels.warm_up()
expected = kernels.log_softmax(np.eye(5))
child = os.fork()
if child == 0:
    os._exit(0 if (kernels.log_softmax(np.eye(5)) == expected).all() else 1)
print(os.waitpid(child, 0)[1])
"""
    assert run(code)[0] == "0\n"


SESSION = """
import sys
import numpy as np
import tinygrad_mnist
from tinygrad_mnist import kernels

for _ in range(150):
    x = np.ones((64, 784), np.float32)
    weights = np.ones((784, 10), np.float32)
    out = kernels.log_softmax(kernels.matmul(x, weights))
    kernels.sum_rows(out)
    kernels.sgd_update(weights, weights, 0.1)
print("numba" in sys.modules)
"""


def test_a_session_waits_for_no_compiler(tmp_path):
    assert run(SESSION, NUMBA_CACHE_DIR=str(tmp_path), TINYGRAD_MNIST_KERNELS="numba") == (
        "False\n",
        "",
    )


def test_numpy_chosen_is_numpy_always():
    code = SESSION.replace("range(150)", "range(300)") + "print(kernels.warm_up())"
    assert run(code, TINYGRAD_MNIST_KERNELS="numpy") == ("False\nFalse\n", "")


def test_a_wrong_choice_is_named():
    code = """
try:
    import tinygrad_mnist
except ValueError as error:
    print(error)
"""
    output, _ = run(code, TINYGRAD_MNIST_KERNELS="cuda")
    assert output == "TINYGRAD_MNIST_KERNELS is 'cuda'; it must be 'numpy' or 'numba'\n"
