"""Arrays as a page holds them: each once, few numbers written out, many packed, large ones cut."""

import base64
import math
import zlib

import numpy as np
import pytest

from tinygrad_mnist.explainer.output.encoding import WHOLE, Arrays


def inflated(text):
    return zlib.decompress(base64.b64decode(text), -zlib.MAX_WBITS)


def packed(entry):
    content = inflated(entry["packed"])
    dtype = np.dtype(entry["dtype"]).newbyteorder("<")
    if "palette" in entry:
        different = np.frombuffer(inflated(entry["palette"]), dtype)
        return different[np.frombuffer(content, np.uint8)].reshape(entry["shape"])
    return np.frombuffer(content, dtype).reshape(entry["shape"])


def one(array, **options):
    arrays = Arrays()
    arrays.add(array)
    (entry,) = arrays.encoded(**options)
    return entry


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool"])
def test_many_numbers_come_back_exactly(dtype):
    array = (np.random.default_rng(0).normal(size=(10, 30)) * 10).astype(dtype)
    for given in (array, array.T, array[::2]):
        entry = one(given)
        np.testing.assert_array_equal(packed(entry), given)
        assert (entry["shape"], entry["full"]) == (list(given.shape), list(given.shape))


def test_few_numbers_are_written_out():
    entry = one(np.array([[1.5, np.nan], [np.inf, -np.inf]], np.float32))
    assert entry["numbers"] == [1.5, "nan", "inf", "-inf"]
    assert [entry[name] for name in ("min", "max", "mean", "nan", "inf", "zero")] == [
        1.5, 1.5, 1.5, 1, 2, 0,
    ]  # fmt: skip
    assert one(np.array(True))["numbers"] == [True]
    assert one(np.zeros((0, 3)))["numbers"] == []
    assert one(np.zeros((0, 3)))["min"] is None


def test_equal_arrays_are_kept_once():
    arrays = Arrays()
    first = arrays.add(np.arange(3.0))
    assert arrays.add(np.arange(3.0)) == first
    assert arrays.add(np.arange(3.0, dtype=np.float32)) != first
    assert arrays.add(np.arange(3.0).reshape(3, 1)) != first
    assert arrays.add(None) is None


def test_of_a_large_array_the_first_rows_are_kept():
    array = np.arange(400 * 500, dtype=np.float32).reshape(400, 500)
    entry = one(array)
    assert entry["full"] == [400, 500]
    assert math.prod(entry["shape"]) <= WHOLE
    np.testing.assert_array_equal(packed(entry), array[: entry["shape"][0]])
    assert (entry["min"], entry["max"], entry["zero"]) == (0.0, 199_999.0, 1)


def test_beyond_the_budget_the_largest_are_cut():
    arrays = Arrays()
    random = np.random.default_rng(0)
    for size in (5_000, 10_000, 50_000):
        arrays.add(random.normal(size=(size // 100, 100)))
    small, middle, large = arrays.encoded(budget=250_000)
    assert (small["shape"], middle["shape"]) == (small["full"], middle["full"])
    assert large["shape"] == [10, 100]


def test_few_different_numbers_are_kept_once():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 784)).astype(np.float32) / 255
    entry = one(pixels)
    np.testing.assert_array_equal(packed(entry), pixels)
    assert len(inflated(entry["palette"])) == 4 * 256
    strange = np.resize(np.array([0.0, -0.0, np.nan, np.inf]), 2_000)
    np.testing.assert_array_equal(np.signbit(packed(one(strange))), np.signbit(strange))
    assert packed(one(strange)).tobytes() == strange.tobytes()
