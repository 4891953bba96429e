"""IDX files: read back as written, and refused when header and content disagree."""

import struct
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mnist.app.datasets import DataError, reading


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(0, 255))
def test_decode_gives_back_what_encode_was_given(shape: list[int], first: int) -> None:
    array = np.arange(first, first + prod(shape)).astype(np.uint8).reshape(shape)
    decoded = reading.from_idx(reading.to_idx(array), "a file")
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, array)


def header(kind: int, *shape: int) -> bytes:
    return struct.pack(f">2x2B{len(shape)}I", kind, len(shape), *shape)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"<html>not found</html>", "not an IDX file"),
        (header(13, 1) + b"\0\0\0\0", "items of type 13"),
        (header(8), "in 0 dimensions"),
        (b"\0\0\x08\xff" + b"\0" * 2000, "in 255 dimensions"),
        (header(8, 2, 3)[:7], "cut off within its header"),
        (header(8, 2, 3) + bytes(5), r"holds 5 bytes .* shape \(2, 3\)"),
        (header(8, 2, 3) + bytes(7), r"holds 7 bytes .* shape \(2, 3\)"),
        (header(8, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(8), "holds 8 bytes"),
        (header(8, 0, 2**32 - 1, 2**32 - 1), "holds 0 bytes"),
    ],
)
def test_decode_refuses_what_its_header_does_not_describe(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        reading.from_idx(content, "some/file")
    assert str(caught.value).startswith("some/file: ")


@given(st.binary(max_size=40))
def test_decode_survives_any_bytes(content: bytes) -> None:
    try:
        array = reading.from_idx(b"\0\0\x08" + content, "a file")
    except DataError:
        return
    assert reading.to_idx(array) == b"\0\0\x08" + content
