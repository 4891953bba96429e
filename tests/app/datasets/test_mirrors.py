"""One mirror after another, and no longer than wanted."""

import time
from pathlib import Path

import pytest

from tests.app.datasets.http_server import Server, cut_off, stall
from tests.app.datasets.tiny import TinyMNIST
from tinygrad_mnist.app.datasets import DataError
from tinygrad_mnist.app.datasets.download import MIRRORS, Mirror, download
from tinygrad_mnist.app.datasets.reading import IDX_FILES

NAMES = [f"{name}.gz" for name in IDX_FILES]


@pytest.fixture
def two_mirrors(server: Server, tiny_mnist: TinyMNIST, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with the tiny MNIST under /first/ and /second/."""
    monkeypatch.setattr(
        "tinygrad_mnist.app.datasets.download.MIRRORS",
        tuple(Mirror(server.url(path), tuple(NAMES)) for path in ("/first/", "/second/")),
    )
    for name, content in tiny_mnist.files.items():
        server.files[f"/first/{name}"] = server.files[f"/second/{name}"] = content
    return server


def test_the_first_mirror_serves(two_mirrors: Server, tmp_path: Path) -> None:
    assert download(tmp_path) == [tmp_path / name for name in NAMES]
    assert [path for path, _ in two_mirrors.asked] == [f"/first/{name}" for name in NAMES]


@pytest.mark.parametrize("content", [None, b"<html>", b"\x1f\x8b", "another file's"])
def test_the_next_mirror_goes_on_where_one_failed(
    two_mirrors: Server, tmp_path: Path, content: bytes | str | None
) -> None:
    bad = f"/first/{NAMES[2]}"
    if content is None:
        del two_mirrors.files[bad]
    elif isinstance(content, str):
        two_mirrors.files[bad] = two_mirrors.files[f"/first/{NAMES[0]}"]
    else:
        two_mirrors.files[bad] = content
    assert download(tmp_path) == [tmp_path / name for name in NAMES]
    assert [path for path, _ in two_mirrors.asked] == [
        *(f"/first/{name}" for name in NAMES[:3]),
        *(f"/second/{name}" for name in NAMES[2:]),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


def test_what_is_there_and_damaged_is_downloaded_anew(two_mirrors: Server, tmp_path: Path) -> None:
    download(tmp_path)
    two_mirrors.asked.clear()
    (tmp_path / NAMES[1]).write_bytes(b"damaged")
    download(tmp_path)
    assert [path for path, _ in two_mirrors.asked] == [f"/first/{NAMES[1]}"]
    assert (tmp_path / NAMES[1]).read_bytes() == two_mirrors.files[f"/first/{NAMES[1]}"]


def test_all_failing_names_every_address_and_what_to_do(
    two_mirrors: Server, tmp_path: Path
) -> None:
    two_mirrors.files.clear()
    with pytest.raises(DataError) as caught:
        download(tmp_path)
    message = str(caught.value)
    assert two_mirrors.url(f"/first/{NAMES[0]}: answered 404") in message
    assert two_mirrors.url(f"/second/{NAMES[0]}: answered 404") in message
    assert "set TINYGRAD_MNIST_DATA" in message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_ends_it(two_mirrors: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        download(tmp_path / "file")
    assert two_mirrors.asked == []


def test_a_slow_mirror_is_left_in_time_and_gone_on_with_later(
    two_mirrors: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinygrad_mnist.app.datasets.download._READ_SECONDS", 20.0)
    monkeypatch.setattr("tinygrad_mnist.app.datasets.download._CHUNK", 100)
    two_mirrors.script = [stall(1000)]
    before = time.monotonic()
    with pytest.raises(DataError, match=r"could not be downloaded within 0\.3 s"):
        download(tmp_path, seconds=0.3)
    assert time.monotonic() - before < 10
    two_mirrors.released.set()
    part = tmp_path / f"{NAMES[0]}.part"
    while not part.exists():  # the thread left behind sees the end of its wait
        time.sleep(0.01)
    download(tmp_path, seconds=20.0)
    assert two_mirrors.asked[1] == (f"/first/{NAMES[0]}", "bytes=1000-")


def test_in_a_hurry_an_address_is_tried_twice(two_mirrors: Server, tmp_path: Path) -> None:
    two_mirrors.script = [cut_off(0)] * 2
    download(tmp_path, seconds=20.0)
    assert [path for path, _ in two_mirrors.asked[:3]] == [
        f"/first/{NAMES[0]}",
        f"/first/{NAMES[0]}",
        f"/second/{NAMES[0]}",
    ]


def test_the_published_addresses_are_complete() -> None:
    files = [mirror.files for mirror in MIRRORS]
    assert files == [tuple(NAMES), tuple(NAMES), ("mnist.pkl.gz",)]
    assert all(mirror.url.startswith("https://") for mirror in MIRRORS)
    assert all(mirror.url.endswith("/") for mirror in MIRRORS)
