"""Loops are shared by a team of threads: with any number of them results are the same bits."""

import multiprocessing
import os
import signal
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mnist
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import blas_threads, cache_folder, dispatch, piece_size, products, team

pytestmark = pytest.mark.skipif(
    not (team.is_possible and blas_threads.NUMPYS and dispatch.choice == "numba"),
    reason="here everybody computes alone",
)


@pytest.fixture(autouse=True)
def two_threads():
    before = blas_threads.NUMPYS.get()
    assert kernels.warm_up()
    tinygrad_mnist.set_num_threads(2)
    team.set_worth(team.LEAST)
    yield
    tinygrad_mnist.set_num_threads(before)


def helpers():
    return [each for each in threading.enumerate() if each.name.startswith("team-")]


def loops_shared():
    return team._words[team.LATEST]


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def product(seed=0, rows=64, depth=784, columns=128):
    a, b = arrays(seed, (rows, depth), (columns, depth))
    out = np.empty((rows, columns), np.float32)
    products.times_transposed(a, b, out)
    back = np.empty((columns, depth), np.float32)
    products.of_transposed(out, a, back)
    added = np.ones((columns, depth // 32 * 32), np.float32)
    products.add_of_transposed(out, a[:, : added.shape[1]].copy(), added, np.float32(0.5))
    return out, back, added


def on_one_thread(compute):
    tinygrad_mnist.set_num_threads(1)
    found = compute()
    tinygrad_mnist.set_num_threads(2)
    return found


sizes = {"rows": st.integers(5, 600), "depth": st.integers(40, 900), "columns": st.integers(5, 90)}


@settings(max_examples=15)
@given(seed=st.integers(0, 9), **sizes, worth=st.integers(6, 20))
def test_products_are_the_same_bits_however_they_are_shared(seed, rows, depth, columns, worth):
    team.set_worth(1 << worth)
    shared = product(seed, rows, depth, columns)
    alone = on_one_thread(lambda: product(seed, rows, depth, columns))
    for one, two in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(
        alone[1], alone[0].T.astype(float) @ arrays(seed, (rows, depth))[0], rtol=2e-3, atol=2e-1
    )


def test_helpers_are_as_many_as_threads_are_wanted_besides_the_first():
    counts = {}
    for number in (3, 1, 2):
        tinygrad_mnist.set_num_threads(number)
        before = loops_shared()
        product()
        counts[number] = len(helpers()), loops_shared() > before
    assert counts == {3: (2, True), 1: (0, False), 2: (1, True)}


def test_small_work_is_not_shared():
    before = loops_shared()
    product(rows=8, depth=64, columns=16)
    assert loops_shared() == before


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """What sizes of pieces are measured next, the cache empty."""
    found = []
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(piece_size, "_measured", lambda folder: found.pop())
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    piece_size.for_threads.cache_clear()
    yield found
    piece_size.for_threads.cache_clear()


def size_for(threads):
    """As the next process has it."""
    piece_size.for_threads.cache_clear()
    tinygrad_mnist.set_num_threads(threads)
    return team.worth()


def test_the_size_of_a_piece_is_measured_once_for_each_number_of_threads(
    measured, tmp_path, monkeypatch
):
    measured += [1 << 19, 1 << 18]
    assert [size_for(n) for n in (2, 3, 2, 3, 1)] == [
        1 << 18,
        1 << 19,
        1 << 18,
        1 << 19,
        team.LEAST,
    ]
    for kept in tmp_path.glob("*/code/size-*"):
        kept.write_bytes(b"-1")
    measured += [None, None, 1 << 16]
    assert [size_for(2) for _ in range(4)] == [1 << 16, 1 << 16, 1 << 16, 1 << 16]
    assert [size_for(3) for _ in range(2)] == [team.LEAST, team.LEAST]
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    assert [size_for(4), size_for(2)] == [team.LEAST, 1 << 16]


def test_the_size_of_a_piece_on_this_machine(tmp_path):
    folder = cache_folder.for_code("code")
    assert piece_size._measured(folder) in (None, *piece_size._SIZES)
    assert piece_size._measured(tmp_path) is None


def test_threads_of_python_that_call_at_once_each_have_their_numbers():
    right = product()
    wrong = []

    def compute():
        for _ in range(20):
            if not all(map(np.array_equal, product(), right)):
                wrong.append(threading.get_ident())

    threads = [threading.Thread(target=compute) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert team._words[team.LOCK] == team._words[team.ACTIVE] == 0


def until_interrupted():
    while True:
        product()


def test_an_interrupt_leaves_the_team_as_it_was():
    right = product()
    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        until_interrupted()
    timer.join()
    assert team._words[team.LOCK] == team._words[team.ACTIVE] == team._words[team.OPEN] == 0
    team.set_worth(team.LEAST)
    before = loops_shared()
    for again, one in zip(product(), right, strict=True):
        np.testing.assert_array_equal(again, one)
    assert loops_shared() > before


def _in_child(results):
    alone = len(helpers())
    before = loops_shared()
    found = product()[0].sum()
    shared = loops_shared() - before
    tinygrad_mnist.set_num_threads(2)
    results.put((alone, shared, len(helpers()), found, product()[0].sum()))


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_child_computes_alone_until_it_asks_for_threads():
    right = product()[0].sum()
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(results,))
    child.start()
    assert results.get() == (0, 0, 1, right, right)
    child.join()
    assert child.exitcode == 0
    before = loops_shared()
    assert product()[0].sum() == right
    assert loops_shared() > before


def test_many_forks_while_another_thread_shares():
    stop = threading.Event()

    def share():
        while not stop.is_set():
            product()

    thread = threading.Thread(target=share)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
    assert len(helpers()) == 1
