"""The reference's readers: the tutorial's pickle, IDX files, archives; and damaged ones."""

import gzip
import os
import pickle
import struct

import numpy as np
import pytest
import torch

from reference.data import DataError, load
from reference.unpickle import UnpicklingError, read_tensors

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TRAIN_ROWS, VALID_ROWS = 5, 10_000


def idx(array):
    """The array as the content of an IDX file of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def pixels():
    generator = np.random.default_rng(0)
    rows = TRAIN_ROWS + VALID_ROWS
    images = generator.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
    return images, generator.integers(0, 10, rows, dtype=np.uint8)


def tutorial_rows(rows, dtype=np.float32):
    return np.linspace(0, 1, rows * 784, dtype=dtype).reshape(rows, 784), np.arange(rows) % 10


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(pixels, suffix, tmp_path, monkeypatch):
    images, labels = pixels
    pack = gzip.compress if suffix else bytes
    (tmp_path / f"{IMAGES}{suffix}").write_bytes(pack(idx(images)))
    (tmp_path / f"{LABELS}{suffix}").write_bytes(pack(idx(labels)))
    monkeypatch.setenv("TINYGRAD_MNIST_DATA", str(tmp_path))
    digits = load()
    x = images.reshape(-1, 784).astype(np.float32) / 256
    np.testing.assert_array_equal(digits.x_train, x[:TRAIN_ROWS])
    np.testing.assert_array_equal(digits.x_valid, x[TRAIN_ROWS:])
    np.testing.assert_array_equal(digits.y_train, labels[:TRAIN_ROWS])
    np.testing.assert_array_equal(digits.y_valid, labels[TRAIN_ROWS:])
    assert digits.y_train.dtype == torch.int64


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickle(protocol, tmp_path):
    sets = (tutorial_rows(6), tutorial_rows(3), tutorial_rows(2))
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(sets, protocol)))
    digits = load(str(tmp_path))
    np.testing.assert_array_equal(digits.x_train, sets[0][0])
    np.testing.assert_array_equal(digits.y_valid, sets[1][1])


def test_pickle_of_python_2(mnist_directory, tmp_path):
    small = (mnist_directory / "mnist_small_py2.pkl.gz").read_bytes()
    (tmp_path / "mnist.pkl.gz").write_bytes(small)
    digits, whole = load(str(tmp_path)), load(str(mnist_directory))
    assert torch.equal(digits.x_train, whole.x_train[:500])
    assert torch.equal(digits.y_train, whole.y_train[:500])


def test_both_published_forms_hold_the_same(mnist_directory, tmp_path):
    (tmp_path / "mnist.pkl.gz").symlink_to(mnist_directory / "mnist.pkl.gz")
    from_pickle, from_idx = load(str(tmp_path)), load(str(mnist_directory))
    for name in ("x_train", "y_train", "x_valid", "y_valid"):
        assert torch.equal(getattr(from_pickle, name), getattr(from_idx, name))


class Call:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pickle.dumps(Call(os.system, "exit 1")), r"names \w+\.system"),
        (pickle.dumps(Call(eval, "1")), r"names builtins\.eval"),
        (pickle.dumps(Call(np.load, "x")), r"names numpy\.load"),
        (pickle.dumps(np.array([None])), "little-endian numbers"),
        (pickle.dumps(np.ones(2, ">f4")), "little-endian numbers"),
        (pickle.dumps(np.ones((2, 3)).T), "row-major"),
        (pickle.dumps({"x": 1}), "holds a dict"),
        (pickle.dumps(np.ones(3))[:-9], "does not load"),
        (b"", "does not load"),
    ],
)
def test_hostile_or_broken_pickle(content, sentence):
    with pytest.raises(UnpicklingError, match=sentence):
        read_tensors(content)


def test_array_state_that_is_no_array_is_refused():
    class Forged:
        def __init__(self, state):
            self.state = state

        def __reduce__(self):
            make = np._core.multiarray._reconstruct
            return make, (np.ndarray, (0,), b"b"), self.state

    float32 = np.dtype("float32")
    for state in ((1, (2,), float32, False, 1 << 40), (1, (3,), float32, False, b"12345678"), 7):
        with pytest.raises(UnpicklingError):
            read_tensors(pickle.dumps(Forged(state)))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda content: content[:-1], "it holds only"),
        (lambda content: content + b"0", "it holds more"),
        (lambda content: content[:7], "not an IDX file"),
        (lambda content: b"\0\0\x0d\3" + content[4:], "not an IDX file"),
        (lambda content: content[:4] + b"\xff" * 12, "its header announces"),
    ],
)
def test_damaged_idx(pixels, damage, sentence, tmp_path):
    images, labels = pixels
    (tmp_path / IMAGES).write_bytes(damage(idx(images)))
    (tmp_path / LABELS).write_bytes(idx(labels))
    with pytest.raises(DataError, match=f"{IMAGES}: .*{sentence}"):
        load(str(tmp_path))


def test_damaged_gzip(pixels, tmp_path):
    images, labels = pixels
    (tmp_path / IMAGES).write_bytes(idx(images))
    (tmp_path / f"{LABELS}.gz").write_bytes(gzip.compress(idx(labels))[:-20])
    with pytest.raises(DataError, match=f"{LABELS}.gz: .*get the file again"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x_train": np.zeros((2, 783), np.float32)}, "expected torch.float32 of shape"),
        ({"x_valid": np.zeros((2, 784))}, "found torch.float64"),
        ({"y_train": np.zeros(2, np.int32)}, "expected torch.int64"),
        ({"y_valid": np.array([0, 10])}, "labels from 0 to 9"),
        ({"y_valid": np.array([None, None])}, "not an archive"),
    ],
)
def test_wrong_archive(change, sentence, tmp_path):
    x, y = tutorial_rows(2)
    path = tmp_path / "arrays.npz"
    np.savez(path, **{"x_train": x, "y_train": y, "x_valid": x, "y_valid": y, **change})
    with pytest.raises(DataError, match=sentence):
        load(str(path))


def test_a_cache_that_others_can_write_is_not_read(tmp_path, monkeypatch):
    monkeypatch.delenv("TINYGRAD_MNIST_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "tinygrad_mnist" / "mnist"
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    with pytest.raises(DataError, match="others could have written there: remove it"):
        load()
    cache.chmod(0o700)
    with pytest.raises(DataError, match="MNIST is not in"):
        load()


def test_nothing_there_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_MNIST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="set TINYGRAD_MNIST_DATA") as error_info:
        load()
    assert str(tmp_path / "data") in str(error_info.value)
    with pytest.raises(DataError, match="holds neither"):
        load(str(tmp_path))
