"""Digits in a NumPy archive: written, read, and refused when they are something else."""

import numpy as np
import pytest

from tinygrad_mnist.app.datasets import DataError, synthetic
from tinygrad_mnist.app.datasets.digits import SPLITS, from_pixels, load_archive, save_archive


@pytest.fixture(scope="module")
def digits():
    parts = [synthetic.draw(count, seed) for seed, count in enumerate((5, 4, 3))]
    return from_pixels(parts, "synthetic", "a few digits")


def arrays(digits):
    """The six arrays by the names that an archive gives them."""
    return {
        f"{kind}_{split}": array
        for split, pair in zip(SPLITS, digits, strict=True)
        for kind, array in zip("xy", pair, strict=True)
    }


def test_what_is_written_is_read(digits, tmp_path):
    path = tmp_path / "digits.npz"
    with path.open("wb") as file:
        save_archive(file, digits)
    read = load_archive(path)
    assert (read.source, read.description) == ("arrays", f"arrays from {path}")
    for (x, y), (x_read, y_read) in zip(digits, read, strict=True):
        np.testing.assert_array_equal(x_read, x)
        np.testing.assert_array_equal(y_read, y)
        assert (x_read.dtype, y_read.dtype) == (np.float32, np.int64)


def test_test_digits_may_be_missing(digits, tmp_path):
    path = tmp_path / "digits.npz"
    kept = {name: array for name, array in arrays(digits).items() if "test" not in name}
    np.savez_compressed(path, **kept)
    x, y = load_archive(path).test
    assert (x.shape, y.shape) == ((0, 784), (0,))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x_train": np.zeros((5, 783), np.float32)}, r"x_train is float32 of shape \(5, 783\)"),
        ({"x_valid": np.zeros((4, 784))}, r"x_valid is float64 .*expected float32"),
        ({"y_train": np.zeros(5, np.int32)}, "y_train is int32"),
        ({"y_train": np.zeros((5, 1), np.int64)}, r"y_train is int64 of shape \(5, 1\)"),
        ({"y_train": np.int64(3), "x_train": np.zeros((0, 784), np.float32)}, "y_train is int64"),
        ({"y_valid": np.array([0, 1, 2, 10])}, "y_valid holds labels beyond 0 to 9"),
        ({"y_valid": np.array([0, 1, 2, -1])}, "y_valid holds labels beyond 0 to 9"),
        ({"y_valid": np.array([None] * 4)}, "is not an archive of arrays"),
        (
            {"x_train": np.zeros((0, 784), np.float32), "y_train": np.zeros(0, np.int64)},
            "y_train is empty",
        ),
        ({"x_valid": None}, "lacks x_valid"),
    ],
)
def test_something_else(change, sentence, digits, tmp_path):
    path = tmp_path / "digits.npz"
    changed = {**arrays(digits), **change}
    np.savez(path, **{name: array for name, array in changed.items() if array is not None})
    with pytest.raises(DataError, match=sentence):
        load_archive(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"no archive at all",
        lambda content: content[:-100],
        lambda content: content[:2000] + b"\xff" * 2000 + content[4000:],
    ],
)
def test_a_damaged_file(damage, digits, tmp_path):
    path = tmp_path / "digits.npz"
    np.savez_compressed(path, **arrays(digits))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"digits\.npz: (is not an archive|cannot be read)"):
        load_archive(path)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: cannot be read \(No such file or directory\)"):
        load_archive(tmp_path / "nowhere")
