"""A cache that others could have written is not read: what lies there can run anything."""

import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinygrad_mnist.kernels import cache_folder, compiling

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
    (open_to_others, HERE, "may have been put there by others"),
    (planted_link, HERE, "may have been put there by others"),
    (planted_pipe, HERE, "may have been put there by others"),
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
    (planted_by_another, HERE, "may have been put there by others"),
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
    def double(x):
        return 2 * x

    def compiled():
        folder = cache_folder.for_code("kernels", "loops")
        return compiling.kept(double, folder, "", ["int64(int64)"])

    assert compiled()(4) == 8
    (file,) = (root / HERE).glob("*.nbc")
    assert sum(compiled().stats.cache_hits.values()) == 1
    file.write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    (root / HERE).chmod(0o777)
    assert compiled()(4) == 8
    assert not (tmp_path / "ran").exists()
    (root / HERE).chmod(0o700)  # the proof that it would have
    assert compiled()(4) == 8
    assert (tmp_path / "ran").exists()


def test_a_full_disk_keeps_nothing_and_leaves_nothing(root, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    before = os.listdir(root / HERE)
    assert not cache_folder.keep(root / HERE / "more", b"content")
    assert os.listdir(root / HERE) == before
