"""Files are written whole or not at all."""

import os
import stat

import pytest

from tinygrad_mnist.serialization import files
from tinygrad_mnist.serialization.files import WriteError, writing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "report"
    path.write_bytes(b"old")
    with writing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["report"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_fault_leaves_what_was_there(error, tmp_path):
    path = tmp_path / "report"
    path.write_bytes(b"old")

    def write_and_fail():
        with writing(path) as file:
            file.write(b"ne")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["report"]


def test_a_disk_that_fills_up_is_one_sentence(tmp_path):
    path = tmp_path / "report"
    with (
        pytest.raises(WriteError, match=r"report: cannot be written \(No space left on device\)"),
        writing(path),
    ):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


def test_a_link_is_followed(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with writing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_what_is_no_regular_file_stays_what_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    files.check(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with writing(pipe) as file:
        file.write(b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_check_leaves_nothing(tmp_path):
    files.check(tmp_path / "report")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no/such/report", "its folder does not exist; create it first"),
        ("file/report", "Not a directory"),
        ("", "it is a folder"),
        ("x" * 300, "File name too long"),
    ],
)
def test_check_says_why_not(name, reason, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=rf"cannot be written \({reason}\)\.$"):
        files.check(tmp_path / name)


def test_a_write_protected_file_is_respected(tmp_path, monkeypatch):
    path = tmp_path / "report"
    path.write_bytes(b"old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as it is for all but root
    with pytest.raises(WriteError, match="it is write-protected"):
        files.check(path)
