"""A cache that others could have written is not read: what lies there can run anything."""

import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinygrad_mnist.kernels import cache_folder, native_code

ROOT = os.name == "posix" and os.geteuid() == 0
STRANGER = 12345
OURS = f"tinygrad_mnist-{os.geteuid()}"


@pytest.fixture(autouse=True)
def said(monkeypatch, capsys):
    """What was said, each reason anew in each test; folders are made as with a umask of 0."""
    cache_folder._say.cache_clear()
    before = os.umask(0)
    yield lambda: capsys.readouterr().err
    os.umask(before)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder that `NUMBA_CACHE_DIR` names, and in it a cache that was used before.

    The group that may write has others in it.
    """
    monkeypatch.setattr(cache_folder, "_no_others_in", lambda group: False)
    root = tmp_path / "shared"
    root.mkdir(mode=0o755)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(root))
    folder = cache_folder.for_code("kernels", "loops")
    assert folder == root / OURS / "kernels" / "loops"
    assert cache_folder.keep(folder / "kept", b"content")
    return root


def open_to_a_group_of_one(root):
    for path in (root, root / HERE):
        path.chmod(0o775)
    (root / HERE / "kept").chmod(0o664)


def replaced_by_link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def open_to_others(path):
    path.chmod(0o755)
    (path / "kept").chmod(0o666)


def given_away(path):
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def planted_link(path):
    (path / "planted").symlink_to("kept")


def planted_pipe(path):
    os.mkfifo(path / "planted")


def planted_by_another(path):
    (path / "planted").touch()
    given_away(path / "planted")


def replaced_by_a_strangers_link(path):
    replaced_by_link(path)
    given_away(path)


def is_a_file(path):
    path.rename(path.with_name("elsewhere"))
    path.touch()


def leads_in_a_circle(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.name)


HERE, ABOVE, OURS_ABOVE = f"{OURS}/kernels/loops", ".", OURS
WRITABLE = [lambda path, mode=mode: path.chmod(mode) for mode in (0o777, 0o770, 0o702)]
UNSAFE = [
    *[(each, HERE, "can be written by others") for each in WRITABLE],
    *[(each, OURS_ABOVE, "can be written by others") for each in WRITABLE],
    *[(each, ABOVE, "can be written by others") for each in WRITABLE],
    (lambda path: path.chmod(0o1777), HERE, "can be written by others"),
    (replaced_by_link, HERE, "is no folder"),
    (replaced_by_link, OURS_ABOVE, "is no folder"),
    (is_a_file, HERE, "is no folder"),
    (is_a_file, ABOVE, "is no folder"),
    (leads_in_a_circle, ABOVE, "leads in a circle"),
]
OF_STRANGERS = [
    (given_away, HERE, "belongs to another user"),
    (given_away, OURS_ABOVE, "belongs to another user"),
    (given_away, ABOVE, "belongs to another user"),
    (replaced_by_a_strangers_link, ABOVE, "belongs to another user"),
]


@pytest.mark.parametrize(("change", "where", "reason"), UNSAFE + (OF_STRANGERS if ROOT else []))
def test_what_others_can_change_is_not_used(change, where, reason, root, said):
    change(Path(os.path.normpath(root / where)))
    for _ in range(2):
        assert cache_folder.for_code("kernels", "loops") is None
    told = said()
    assert told.count("\n") == 1
    assert reason in told


PLANTED = [open_to_others, planted_link, planted_pipe, *([planted_by_another] if ROOT else [])]


@pytest.mark.parametrize("plant", PLANTED)
def test_a_file_that_others_can_have_put_there_is_not_read(plant, root, said):
    plant(root / HERE)
    folder = cache_folder.for_code("kernels", "loops")
    file = folder / ("kept" if plant is open_to_others else "planted")
    for _ in range(2):
        with pytest.raises(OSError, match="may have been put there by others"):
            cache_folder.read(file)
    assert said() == (
        f"tinygrad_mnist: keeps nothing for the next run: {file} may have been put there by "
        "others: remove it\n"
    )
    with pytest.raises(FileNotFoundError):
        cache_folder.read(folder / "missing")


@pytest.mark.parametrize("plant", PLANTED)
def test_files_of_data_are_checked_with_their_folder(plant, root, said, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(root))
    folder = cache_folder.for_data("digits")
    assert cache_folder.keep(folder / "kept", b"content")
    plant(folder)
    assert cache_folder.for_data("digits") is None
    assert "may have been put there by others" in said()


DAY = 24 * 3600.0


def kept_for(folder, name, size, days):
    """A file of a size that was used so many days ago."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_bytes(bytes(size))
    file.chmod(0o600)
    os.utime(file, (time.time() - days * DAY,) * 2)
    return file


@pytest.mark.parametrize("limit", ["", "2"])
def test_what_is_not_used_is_removed(limit, root, monkeypatch):
    monkeypatch.setenv(cache_folder.LIMIT, limit)
    ours, million = root / OURS, 1 << 20
    stays = [kept_for(ours / "code", "new.nbc", million, 0), kept_for(ours, "digits", million, 99)]
    large = [kept_for(ours / "kernels" / "old", "a.nbc", million, 2),
             kept_for(ours / "code", "b.nbc", million, 1)]  # fmt: skip
    gone = [kept_for(ours / "code", "unused.nbc", 1, 31), kept_for(ours / "code", "tmp1", 1, 31)]
    marker = kept_for(ours / "code", "loops.compiled", 0, 0)
    cache_folder.prune.__wrapped__()
    assert [file.exists() for file in stays] == [True, True]
    assert [file.exists() for file in large] == ([False, True] if limit else [True, True])
    assert not any(file.exists() for file in (*gone, marker))


def test_several_remove_at_once(root, monkeypatch):
    """Each finds gone what another removed, and what is used meanwhile is there or it is not."""
    monkeypatch.setenv(cache_folder.LIMIT, "0")
    for n in range(50):
        kept_for(root / OURS / "code", f"{n}.nbc", 1, n)
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(cache_folder.prune.__wrapped__) for _ in range(4)]
    assert [each.result() for each in done] == [None] * 4
    assert not list((root / OURS / "code").iterdir())


def test_what_is_read_counts_as_used(root):
    file = kept_for(root / OURS / "code", "a.nbc", 3, 29)
    assert cache_folder.read(file) == bytes(3)
    assert time.time() - file.stat().st_mtime < DAY


@pytest.mark.parametrize(
    "change",
    [
        lambda root: root.chmod(0o1777),
        replaced_by_link,
        open_to_a_group_of_one,
        lambda root: (root / OURS).chmod(0o755),
        lambda root: (root / HERE).chmod(0o750),
    ],
)
def test_what_others_cannot_change_is_used_and_closed(change, root, said, monkeypatch):
    monkeypatch.setattr(
        cache_folder, "_no_others_in", lambda group: change == open_to_a_group_of_one
    )
    change(root)
    folder = cache_folder.for_code("kernels", "loops")
    assert (folder / "kept").read_bytes() == b"content"
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.parents[:2])} == {0o700}
    assert said() == ""


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("XDG_CACHE_HOME", "/proc/nobody", "/proc/nobody: "),
        ("HOME", "/dev/null", "/dev/null is no folder"),
        ("NUMBA_CACHE_DIR", "/dev/null", "/dev/null is no folder"),
    ],
)
def test_no_place_to_keep_anything(variable, value, reason, monkeypatch, said):
    for each in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(variable, value)
    assert cache_folder.for_code("programs") is None
    assert said().startswith(f"tinygrad_mnist: keeps nothing for the next run: {reason}")


def test_a_user_without_a_home(monkeypatch, said):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: Path("~/.cache/engine"))
    assert cache_folder.for_data("mnist") is None
    assert "~/.cache is no absolute path" in said()


@pytest.mark.parametrize(
    ("name", "own", "members", "alone"),
    [
        ("alice", 1000, [], True),
        ("alice", 1000, ["alice"], True),
        ("alice", 1000, ["alice", "bob"], False),
        ("staff", 1000, [], False),
        ("alice", 20, [], False),
    ],
)
def test_a_group_of_one_is_known_by_its_name(name, own, members, alone, monkeypatch):
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name="alice", pw_gid=own))
    monkeypatch.setattr("grp.getgrgid", lambda _: SimpleNamespace(gr_name=name, gr_mem=members))
    assert cache_folder._no_others_in.__wrapped__(1000) == alone
    assert cache_folder._no_others_in.__wrapped__(0)


class Planted:
    """Makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_planted_pickle_does_not_run(root, tmp_path):
    def loaded():
        folder = cache_folder.for_code("kernels", "loops")
        return native_code.load(None if folder is None else folder / "planted.nbc")

    file = root / HERE / "planted.nbc"
    file.write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    assert not loaded()  # of the mode 666
    file.chmod(0o600)
    (root / HERE).chmod(0o777)
    assert not loaded()
    assert not (tmp_path / "ran").exists()
    (root / HERE).chmod(0o700)  # the proof that it would have
    assert not loaded()
    assert (tmp_path / "ran").exists()


def test_a_full_disk_keeps_nothing_and_leaves_nothing(root, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    before = os.listdir(root / HERE)
    assert not cache_folder.keep(root / HERE / "more", b"content")
    assert os.listdir(root / HERE) == before
