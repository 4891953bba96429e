"""Unpacking: any gzip wrapper passes, and none makes more of a file than it may hold."""

import gzip
import tracemalloc

import pytest

from tinygrad_mnist.app.datasets import DataError
from tinygrad_mnist.app.datasets.reading import unpack

CONTENT = bytes(range(256)) * 100


@pytest.mark.parametrize(
    "raw",
    [
        CONTENT,
        gzip.compress(CONTENT),
        gzip.compress(CONTENT, compresslevel=1, mtime=12345),
        gzip.compress(CONTENT[:100]) + gzip.compress(CONTENT[100:]),
    ],
    ids=["plain", "gzip", "another wrapper", "two members"],
)
def test_any_wrapper_gives_the_content(raw: bytes) -> None:
    assert unpack(raw, "a file", len(CONTENT)) == CONTENT


@pytest.mark.parametrize("length", [3, 12, 200, 300])
def test_a_cut_off_file_is_refused(length: int) -> None:
    with pytest.raises(DataError, match=r"^some/file: is cut off"):
        unpack(gzip.compress(CONTENT)[:length], "some/file", len(CONTENT))


def test_a_damaged_file_is_refused() -> None:
    raw = bytearray(gzip.compress(CONTENT))
    raw[len(raw) // 2] ^= 0xFF
    with pytest.raises(DataError, match=r"^some/file: is a damaged gzip file"):
        unpack(bytes(raw), "some/file", 100 * len(CONTENT))


def test_rubbish_after_the_content_is_refused() -> None:
    with pytest.raises(DataError, match="damaged gzip file"):
        unpack(gzip.compress(CONTENT) + b"rubbish", "some/file", len(CONTENT))


def test_a_bomb_is_refused_before_it_fills_the_memory() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"^some/file: holds more than the 1000000 bytes"):
            unpack(bomb, "some/file", limit=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_plain_file_is_bounded_too() -> None:
    with pytest.raises(DataError, match="holds more than the 10 bytes"):
        unpack(CONTENT, "some/file", limit=10)
