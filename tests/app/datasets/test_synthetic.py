"""The digits that the program draws: the same for a seed, and neither too easy nor too hard."""

from hashlib import sha256

import numpy as np
import pytest

from tinygrad_mnist.app.datasets import Digits, synthetic
from tinygrad_mnist.app.datasets.synthetic import (
    SAMPLES,
    SKELETONS,
    control_points,
    sampling_matrix,
)


@pytest.fixture(scope="module")
def digits() -> Digits:
    return synthetic.generate(0)


def test_generate_gives_what_mnist_would(digits: Digits) -> None:
    for (x, y), size in zip(digits, (50_000, 10_000, 10_000), strict=True):
        assert (x.shape, x.dtype, y.shape, y.dtype) == ((size, 784), np.float32, (size,), np.int64)
        np.testing.assert_array_equal(x * 256, np.rint(x * 256))
        assert x.min() == 0
        assert 0.99 < x.max() < 1
        assert (np.bincount(y, minlength=10) > size / 12).all()


def test_a_seed_draws_the_same_digits_on_every_machine() -> None:
    images, labels = synthetic.draw(1000, seed=0)
    assert labels[:8].tolist() == [3, 5, 7, 8, 8, 9, 0, 6]
    found = sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert found == "62c0818abae813873fef7be54da7e531373de12959eb79034ec99b5e13c9aefc"


def test_seeds_and_splits_differ(digits: Digits) -> None:
    drawn = [synthetic.draw(5, seed)[0].tobytes() for seed in (0, 1, 2, -1)]
    drawn += [x[:5].tobytes() for x, _ in digits]
    assert len(set(drawn)) == len(drawn)


def test_a_negative_seed_counts_from_the_end() -> None:
    images, _ = synthetic.draw(5, -1)
    np.testing.assert_array_equal(images, synthetic.draw(5, 2**64 - 1)[0])


@pytest.mark.parametrize("count", [0, 1, 2001])
def test_any_number_can_be_drawn(count: int) -> None:
    images, labels = synthetic.draw(count)
    assert images.shape == (count, 28, 28)
    assert labels.shape == (count,)


@pytest.mark.parametrize("digit", SKELETONS)
def test_the_samples_follow_the_strokes(digit: int) -> None:
    for skeleton in SKELETONS[digit]:
        matrix = sampling_matrix(skeleton)
        assert len(matrix) == SAMPLES
        np.testing.assert_allclose(matrix.sum(axis=1), 1)
        samples, points = matrix @ control_points(skeleton), control_points(skeleton)
        distances = np.linalg.norm(samples[:, None] - points, axis=2)
        assert distances.min(axis=0).max() < 0.05  # each point has a sample near it
        assert (samples > -0.02).all()
        assert (samples < 1.02).all()


def accuracy(torch, model, optimizer, batches, digits, shape):
    """On the validation digits, after the tutorial's loop over so many batches of 64."""
    (x, y), (x_valid, y_valid), _ = digits.map(torch.from_numpy)
    for number in range(batches):
        start = number % -(-len(x) // 64) * 64
        batch = slice(start, start + 64)
        loss = torch.nn.functional.cross_entropy(model(x[batch].reshape(shape)), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return (model(x_valid.reshape(shape)).argmax(1) == y_valid).double().mean().item()


def test_a_logistic_model_learns_most_and_a_convolutional_net_more(digits: Digits) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    logistic = torch.nn.Linear(784, 10)
    descent = torch.optim.SGD(logistic.parameters(), lr=0.5)
    seen = accuracy(torch, logistic, descent, 2 * 782, digits, (-1, 784))
    assert 0.85 < seen < 0.97
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * 49, 10),
    )
    descent = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    assert accuracy(torch, net, descent, 400, digits, (-1, 1, 28, 28)) > seen + 0.03
