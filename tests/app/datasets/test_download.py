"""One file from a real server on loopback: whatever goes wrong, nothing half-written stays."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.app.datasets.http_server import (
    Behaviour,
    Server,
    cut_off,
    ignore_range,
    stall,
    status,
    without_length,
    wrong_range,
)
from tests.processes import started
from tinygrad_mnist.app.datasets import DataError, download
from tinygrad_mnist.app.datasets.digits import TransferError
from tinygrad_mnist.app.datasets.download import Cancelled, Effort, fetch

CONTENT = bytes(range(251)) * 2000


def check(content: bytes, name: str) -> None:
    if content != CONTENT:
        raise DataError(f"{name}: is not it")


def get(server: Server, folder: Path, effort: Effort | None = None) -> None:
    server.files.setdefault("/file.gz", CONTENT)
    fetch(server.url("/file.gz"), folder / "file.gz", check, effort or Effort())


def ranges(server: Server) -> list[str | None]:
    return [wanted for _, wanted in server.asked]


def assert_only_the_file(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["file.gz"]
    assert (folder / "file.gz").read_bytes() == CONTENT


def test_a_file_arrives_and_is_reported(server: Server, tmp_path: Path) -> None:
    reports = []
    get(server, tmp_path / "a" / "b", Effort(report=lambda *report: reports.append(report)))
    assert_only_the_file(tmp_path / "a" / "b")
    assert reports[-1] == ("file.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in reports] == sorted(done for _, done, _ in reports)


def test_a_server_may_keep_the_length_to_itself(server: Server, tmp_path: Path) -> None:
    server.script = [without_length]
    get(server, tmp_path)
    assert_only_the_file(tmp_path)


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ([cut_off(100_000)], [None, "bytes=100000-"]),
        ([cut_off(100_000), status(503)], [None, "bytes=100000-", "bytes=100000-"]),
        ([cut_off(100_000), ignore_range], [None, "bytes=100000-"]),
        ([cut_off(100_000), wrong_range], [None, "bytes=100000-", None]),
        ([cut_off(100_000), status(416)], [None, "bytes=100000-", None]),
        ([status(500), status(429)], [None, None, None]),
        ([stall(0)], [None, None]),
        ([stall(2**16)], [None, f"bytes={2**16}-"]),
    ],
    ids=[
        "cut off",
        "cut off, then unavailable",
        "range ignored",
        "another range",
        "range refused",
        "unavailable twice",
        "no answer",
        "stalled",
    ],
)
def test_a_passing_fault_is_got_over(
    server: Server, tmp_path: Path, script: list[Behaviour], asked: list[str | None]
) -> None:
    server.script = list(script)
    get(server, tmp_path)
    assert_only_the_file(tmp_path)
    assert ranges(server) == asked


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([status(404)], "answered 404"),
        ([status(403)], "answered 403"),
        ([status(500)] * 4, "answered 500"),
        ([cut_off(0)] * 4, "the connection broke off"),
        ([cut_off(100_000), *[status(503)] * 3], "answered 503"),
        ([stall(10)] * 4, "did not answer in time"),
    ],
)
def test_a_lasting_fault_names_the_address_and_leaves_nothing(
    server: Server, tmp_path: Path, script: list[Behaviour], message: str
) -> None:
    server.script = list(script)
    with pytest.raises(TransferError, match=message) as caught:
        get(server, tmp_path)
    assert str(caught.value).startswith(server.url("/file.gz") + ": ")
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == len(script)


def test_nobody_there(tmp_path: Path, server: Server) -> None:
    with pytest.raises(TransferError, match=r"^http://127.0.0.1:9/file: cannot be reached\.$"):
        fetch("http://127.0.0.1:9/file", tmp_path / "file", check, Effort(attempts=2))
    assert list(tmp_path.iterdir()) == []


def test_wrong_content_is_asked_for_once_and_left_nowhere(server: Server, tmp_path: Path) -> None:
    server.files["/file.gz"] = b"<html>Please log in</html>"
    with pytest.raises(TransferError, match="is not it"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("behaviour", [ignore_range, without_length])
def test_too_large_a_file_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    monkeypatch.setattr(download, "LIMIT", len(CONTENT) - 1)
    server.script = [behaviour]
    with pytest.raises(TransferError, match="sends more than"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_meanwhile_is_begun_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.gz.part").write_bytes(b"another file's beginning")
    get(server, tmp_path)
    assert_only_the_file(tmp_path)
    assert ranges(server) == ["bytes=24-", None]


def test_a_part_longer_than_the_file_is_begun_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.gz.part").write_bytes(CONTENT + b"more")
    get(server, tmp_path)
    assert_only_the_file(tmp_path)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Cancelled])
def test_an_interrupted_download_is_gone_on_with(
    server: Server, tmp_path: Path, stop: type[BaseException]
) -> None:
    def interrupt(_: str, done: int, __: int | None) -> None:
        if done > 2 * 2**16:
            raise stop

    with pytest.raises(stop):
        get(server, tmp_path, Effort(report=interrupt))
    assert [path.name for path in tmp_path.iterdir()] == ["file.gz.part"]
    get(server, tmp_path)
    assert_only_the_file(tmp_path)
    assert ranges(server) == [None, f"bytes={3 * 2**16}-"]


def test_cancelling_ends_a_transfer_and_a_pause(server: Server, tmp_path: Path) -> None:
    effort = Effort()
    effort.cancelled.set()
    with pytest.raises(Cancelled):
        get(server, tmp_path, effort)
    server.script = [status(500)]
    with pytest.raises(Cancelled):
        get(server, tmp_path, effort)


@pytest.mark.parametrize(("age", "asked"), [(3600, "bytes=5-"), (0, None)])
def test_what_a_killed_process_left_is_taken_up_once_it_is_old(
    server: Server, tmp_path: Path, age: int, asked: str | None
) -> None:
    orphan = tmp_path / "file.gz.0123abcd.part"
    orphan.write_bytes(CONTENT[:5])
    os.utime(orphan, (time.time() - age,) * 2)
    get(server, tmp_path)
    assert ranges(server) == [asked]
    assert orphan.exists() == (asked is None)
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


def test_processes_that_download_at_once_do_not_meet(server: Server, tmp_path: Path) -> None:
    server.files["/file.gz"] = CONTENT
    (tmp_path / "file.gz.part").write_bytes(CONTENT[:1000])
    everyone = threading.Barrier(3)

    def together(handler, content):
        everyone.wait(20)
        ignore_range(handler, content)

    server.script = [together] * 3
    program = (
        "import sys; from pathlib import Path; from tinygrad_mnist.app.datasets import download\n"
        "download.fetch(sys.argv[1], Path(sys.argv[2]), lambda *_: None, download.Effort())"
    )
    command = [sys.executable, "-c", program, server.url("/file.gz"), str(tmp_path / "file.gz")]
    root = Path(__file__).resolve().parents[3]
    with ExitStack() as stack:
        running = [stack.enter_context(started(command, cwd=root)) for _ in range(3)]
        assert [process.wait(30) for process in running] == [0, 0, 0]
    assert_only_the_file(tmp_path)
    assert len(server.asked) == 3


@pytest.mark.parametrize("name", ["file.gz.part", "file.gz.0123abcd.part"])
@pytest.mark.parametrize(
    "plant", [Path.symlink_to, Path.hardlink_to, lambda path, _: os.mkfifo(path)]
)
def test_nothing_is_written_through_what_was_planted(
    server: Server, tmp_path: Path, plant: Callable[[Path, Path], None], name: str
) -> None:
    folder, target = tmp_path / "folder", tmp_path / "target"
    folder.mkdir()
    target.write_bytes(CONTENT[:5])
    plant(folder / name, target)
    os.utime(folder / name, (0, 0), follow_symlinks=False)
    get(server, folder)
    assert_only_the_file(folder)
    assert target.read_bytes() == CONTENT[:5]
    assert ranges(server) == [None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small file system here: {error}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_small_disk_is_left_as_it_was(server: Server, small_disk: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be written \(No space left"):
        get(server, small_disk)
    assert list(small_disk.iterdir()) == []


def test_a_read_only_disk_is_named(server: Server, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DataError, match=r"cannot be written \(Read-only file system"):
        get(server, small_disk)


def test_a_folder_without_write_access_is_named(server: Server, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(DataError, match=r"cannot be written \(Permission denied"):
            get(server, tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(DataError, match=r"cache/file.gz: cannot be written"):
        get(server, tmp_path / "cache")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
