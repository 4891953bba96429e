"""Everybody trains the same model to the same loss, and a wrong one is not hidden."""

import sys

import numpy as np
import pytest

from benchmarks import contestants, jobs, machine, measure, worker
from benchmarks.contestants.numpy_by_hand import accuracy
from benchmarks.jobs import Job
from tinygrad_mnist.app.datasets import synthetic

TINY = ("logistic-8x4", "mlp-8x4", "mlp-w16-d3-8x4", "cnn-4x3", "transformer-2x2")
KNOWN = contestants.load()
COMPILING = ("tinygrad, TinyJit", "torch.compile, whole step", "torch.compile, loss and update",
             "tinygrad_mnist, compiled", "tinygrad_mnist, scan")  # fmt: skip
"""Those that compile for seconds meet the smallest job alone."""
CASES = [(name, job) for name in KNOWN for job in TINY
         if not name.endswith("GPU") and (name not in COMPILING or job == TINY[0])]  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    pixels, labels = synthetic.draw(32)
    return pixels.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)


def trained(name, job):
    try:
        training = KNOWN[name].start(job)
    except NotImplementedError as error:
        pytest.skip(str(error))
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} comes with the extra `benchmark`")
    return training, training.run(training.place(job.x, job.y))


@pytest.mark.parametrize(("name", "job"), CASES)
def test_contestants_reach_the_same_loss_and_weights(name, job, digits):
    if name.startswith("torch.compile"):
        pytest.skip("PyTorch's compiler needs a compiler of C and half a minute")
    task = jobs.make(job, *digits)
    training, loss = trained(name, task)
    np.testing.assert_allclose(loss, measure.right_loss(task), rtol=1e-4)
    right, _ = trained("PyTorch, functional", task.as_float64())
    for found, expected in zip(training.weights(), right.weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4)


def test_micrograd_reaches_the_same_loss(digits):
    task = jobs.make("logistic-1x2", *digits)
    _, loss = trained("micrograd", task)
    np.testing.assert_allclose(loss, measure.right_loss(task), rtol=1e-4)


@pytest.mark.cuda
@pytest.mark.parametrize("job", TINY)
@pytest.mark.parametrize("name", [n for n in KNOWN if n.endswith("GPU")])
def test_contestants_on_a_gpu_reach_the_same_loss(name, job, digits):
    task = jobs.make(job, *digits)
    np.testing.assert_allclose(trained(name, task)[1], measure.right_loss(task), rtol=1e-4)


@pytest.mark.parametrize("job", TINY)
def test_a_job_is_the_same_after_a_file(job, digits, tmp_path):
    task = jobs.make(job, *digits)
    task.save(tmp_path / "job.npz")
    again = Job.load(tmp_path / "job.npz")
    assert (again.name, again.model, again.lr) == (task.name, task.model, task.lr)
    assert list(again.weights) == list(task.weights)
    np.testing.assert_array_equal(again.x, task.x)
    np.testing.assert_array_equal(again.y, task.y)


@pytest.mark.parametrize(
    "name",
    [
        "mlp",
        "logistic-0",
        "gpt-64",
        "mlp-64x",
        "-64",
        "mlp-64-w5",
        "mlp-w0-64",
        "logistic-64x0",
        "mlp-9999999",
    ],
)
def test_a_job_that_is_none_is_refused(name, digits):
    with pytest.raises(ValueError, match="expected MODEL"):
        jobs.make(name, *digits)


def test_a_missing_package_is_a_row_that_says_so(monkeypatch, digits):
    monkeypatch.setitem(sys.modules, "autograd", None)
    monkeypatch.setitem(sys.modules, "autograd.numpy", None)
    told, epoch = worker.begin("HIPS autograd", jobs.make("logistic-8x4", *digits))
    assert epoch is None
    assert "the extra `benchmark` brings it" in told["missing"]


def test_a_job_that_one_cannot_do_is_a_row_that_says_so(digits):
    told, epoch = worker.begin("NumPy by hand", jobs.make("transformer-2x2", *digits))
    assert epoch is None
    assert told["missing"] == "no derivatives by hand were written for the transformer"


def test_products_are_counted_as_by_hand(digits):
    assert machine.products(jobs.make("logistic-8x4", *digits)) == 2 * 2 * 8 * 784 * 10
    mlp = machine.products(jobs.make("mlp-8x4", *digits))
    assert mlp == 8 * (2 * 2 * 784 * 128 + 3 * 2 * 128 * 10)


def test_accuracy_counts_the_digits_that_are_right():
    weights = {"weights": np.eye(784, 10, dtype=np.float32), "bias": np.zeros(10, np.float32)}
    x = np.eye(4, 784, dtype=np.float32)
    assert accuracy("logistic", weights, x, np.array([0, 1, 2, 9])) == 0.75
