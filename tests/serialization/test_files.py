"""Files are written whole or not at all."""

import os
import re
import resource
import signal
import stat
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.app.cli import outputs
from tinygrad_mnist.app.datasets.digits import Digits, save_archive
from tinygrad_mnist.serialization import files
from tinygrad_mnist.serialization.files import WriteError, writing
from tinygrad_mnist.serialization.safetensors import save_file


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


@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_a_new_file_has_the_usual_mode_and_another_keeps_its_own(umask, tmp_path):
    path, expected = tmp_path / "report", 0o666 & ~umask
    before = os.umask(umask)
    try:
        for mode in (0o666 & ~umask, 0o600, 0o664):
            with writing(path) as file:
                file.write(b"new")
            assert path.stat().st_mode & 0o777 == expected
            path.chmod(mode)
            expected = mode
    finally:
        os.umask(before)


def test_a_link_that_open_would_not_follow_is_refused(tmp_path, monkeypatch):
    link = tmp_path / "planted"
    link.symlink_to("target")

    def protected(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", protected)  # as in a folder like /tmp, where Linux protects
    for refused in (files.check, lambda path: writing(path).__enter__()):
        with pytest.raises(WriteError, match=r"planted: cannot be written \(Permission denied\)"):
            refused(link)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_process_leaves_nothing(number, tmp_path, monkeypatch):
    raised = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        report = tmp_path / "report"
        with suppress(WriteError), files.locked(report), writing(report) as file:
            file.write(b"ha")
            assert len(names(tmp_path)) == 2
            os.kill(os.getpid(), number)
            assert raised == [number]
            assert signal.getsignal(number) is signal.SIG_DFL
            assert names(tmp_path) == []
        with writing(report) as file:
            file.write(b"whole")
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert names(tmp_path) == ["report"]


LARGE = np.zeros((100, 784), np.float32), np.zeros(100, np.int64)
WRITERS = {
    "torch.save": lambda path: torch.save(torch.from_numpy(LARGE[0]), path),
    "save_file": lambda path: save_file({"large": torch.from_numpy(LARGE[0])}, path),
    "archive": lambda path: write_archive(path, Digits(LARGE, LARGE, LARGE, "", "")),
    "report": lambda path: outputs.write(path, bytes(100_000)),
}


def write_archive(path, digits):
    with writing(path) as file:
        save_archive(file, digits)


@pytest.mark.parametrize("there", [b"old", None])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_disk_that_fills_up_leaves_what_was_there(write, there, tmp_path):
    path = tmp_path / "file"
    if there is not None:
        path.write_bytes(there)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises((WriteError, RuntimeError), match=r"cannot be written \(File too large"):
            write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == (
        {} if there is None else {"file": there}
    )


WRITE = re.compile(
    r"""\.write_(text|bytes)\(|open\([^)]*["'][wxa][bt+]*["']|savefig\(|os\.(open|replace)\(|"""
    r"""mkstemp\(|mkdtemp\(|NamedTemporaryFile\("""
)
WRITE_THEMSELVES = {
    "serialization/files.py": "writes for all the others",
    "serialization/archive.py": "a record in an archive that is open",
    "kernels/cache_folder.py": "in folders that were checked",
    "app/datasets/download.py": "parts of a download, each under a name of its own",
    "app/report.py": "a figure into memory",
    "app/cli/__init__.py": "to /dev/null",
    "tools/bench/worker.py": "into a temporary folder, for the process that started it",
    "tools/compare/recorder.py": "to /dev/null, and into a temporary folder",
    "tools/scripts/running.py": "to /dev/null",
    "explainer/script.py": "to what was standard output",
}


def test_whatever_is_written_is_written_whole():
    package = Path(files.__file__).parents[1]
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if WRITE.search(path.read_text(encoding="utf-8"))
    }
    assert found == WRITE_THEMSELVES.keys()


def test_a_locked_file_is_locked_by_every_name(tmp_path):
    path, link = tmp_path / "run.pt", tmp_path / "link"
    link.symlink_to(path)
    with files.locked(path):
        for name in (path, link, tmp_path / "." / "run.pt"):
            with (
                pytest.raises(WriteError, match="another process is at work on it"),
                files.locked(name),
            ):
                pytest.fail("locked twice")
        with files.locked(tmp_path / "other.pt"):
            pass
    with files.locked(link):
        pass
    assert names(tmp_path) == ["link"]


def test_a_lock_that_a_killed_process_left_does_not_hold(tmp_path):
    path = tmp_path / "run.pt"
    with files.locked(path):
        (lock,) = tmp_path.iterdir()
    lock.touch()
    with files.locked(path):
        assert names(tmp_path) == [lock.name]
    assert names(tmp_path) == []


def test_a_lock_is_no_link(tmp_path):
    path = tmp_path / "run.pt"
    with files.locked(path):
        (lock,) = tmp_path.iterdir()
    lock.symlink_to(tmp_path / "target")
    with pytest.raises(WriteError, match=r"run\.pt: cannot be written"), files.locked(path):
        pytest.fail("locked through a link")
    assert names(tmp_path) == [lock.name]
