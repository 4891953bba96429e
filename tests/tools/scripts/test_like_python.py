"""What `run` leaves as Python has it: each script ends the same way under both."""

import signal

import pytest

from tests.processes import started
from tinygrad_mnist.tools.scripts.import_hook import _BUILT_ON_TORCH, _ELSEWHERE
from tinygrad_mnist.tools.scripts.running import prepared

ENDS = b"""
import atexit, sys, threading, time
print(sys.argv[1:], __name__, __package__, __spec__, __file__, sys.path[0], sys.flags.safe_path)
print(sys.stdin.read(), open("data.txt").read())
atexit.register(print, "atexit")
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
sys.exit("farewell")
"""
LIKE_PYTHON = {
    "random.py": ENDS,  # a name that the engine and Python have, too
    "relative.py": b"from . import program\n",
    "wrong.py": b"x = 1\nif x\n    print(2)\n",
    "imports_wrong.py": b"import wrong\n",
    "byte_order_mark.py": b'\xef\xbb\xbfprint(repr("""a\r\nb"""), __doc__)\r\n',
    "latin.py": b'# coding: latin-1\nprint(ascii("caf\xe9"))\n',
    "killed.py": b"import os\nos.kill(os.getpid(), 15)\n",
    "fails.py": b"raise ValueError('x') from KeyError(3)\n",
}


@pytest.mark.parametrize("name", LIKE_PYTHON)
def test_a_script_ends_as_in_python(name, run, run_in_torch, tmp_path):
    for each, content in LIKE_PYTHON.items():
        if each in (name, "wrong.py"):
            (tmp_path / each).write_bytes(content)
    (tmp_path / "data.txt").write_text("beside", encoding="utf-8")
    done = run(tmp_path / name, "--lr", "0.1", stdin="given")
    expected = run_in_torch(tmp_path / name, "--lr", "0.1", stdin="given")
    assert (done.stdout, done.stderr) == (expected.stdout, expected.stderr)
    assert done.returncode == expected.returncode


def test_a_module_is_run_like_python_m(run, run_in_torch, tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "part.py").write_text("value = 5\n", encoding="utf-8")
    (package / "__main__.py").write_text(
        "import sys\nfrom .part import value\nprint(value, __package__, sys.argv, sys.path[0])\n",
        encoding="utf-8",
    )
    done, expected = run("package", "-x", module=True), run_in_torch("-m", "package", "-x")
    assert (done.stdout, done.stderr, done.returncode) == (expected.stdout, "", 0)


STARS = """
import importlib, pathlib
import torch, tinygrad_mnist
from tinygrad_mnist.names import MODULE_ALIASES

folder = pathlib.Path(tinygrad_mnist.__file__).parent
files = (file.relative_to(folder).with_suffix("") for file in folder.rglob("*.py"))
modules = {".".join(file.parts).removesuffix(".__init__") for file in files} | {*MODULE_ALIASES}
for name in ["torch", *(f"torch.{each}" for each in sorted(modules) if "__" not in each)]:
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    names = {}
    exec(f"from {name} import *", names)
    print(name, [each for each in names if each.startswith("_") and each != "__builtins__"])
"""


def test_everything_can_be_imported_with_a_star(run, write):
    done = run(write("stars.py", STARS))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 100
    assert all(line.endswith(" []") for line in done.stdout.splitlines())


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_goes_away_ends_it_in_silence(lines, write):
    """Be there more to say than the buffer holds, or less."""
    script = write("says.py", f"for i in range({lines}):\n    print(i)\n")
    command, variables = prepared(script)
    with started(command, env=variables) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == -signal.SIGPIPE


CHILDREN = """
    import os, pickle, subprocess, sys
    from torch.utils.data import DataLoader, Dataset

    class Engine(Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, i):
            import torch
            return torch.__version__

    if __name__ == "__main__":
        assert isinstance(pickle.loads(pickle.dumps(Engine())), Engine)
        for method in ("fork", "spawn", "forkserver"):
            loader = DataLoader(Engine(), num_workers=1, multiprocessing_context=method)
            print(method, next(iter(loader)), flush=True)
        command = [sys.executable, "-c", "import torch; print('child', torch.__version__)"]
        subprocess.run(command)
        os.spawnv(os.P_WAIT, sys.executable, command)
        subprocess.run([sys.executable, "-c", "print('a stranger')"], env={})
        subprocess.run([sys.executable, "-I", "-c", "print('another')"])
"""


def test_every_python_that_a_script_starts_is_answered(write, run):
    done = run(write("starts.py", CHILDREN))
    version = "2.13.0+tinygrad_mnist"
    loaded = [f"{method} ['{version}']" for method in ("fork", "spawn", "forkserver")]
    assert done.stdout.splitlines() == [*loaded, *[f"child {version}"] * 2, "a stranger", "another"]
    (warning,) = done.stderr.splitlines()
    assert warning.startswith(
        "warning: a Python is started that does not see this one's PYTHONPATH"
    )


def test_the_persons_own_start_is_kept(run, write, tmp_path, monkeypatch):
    write("sitecustomize.py", "print('own start')\n")
    script = write("any.py", "import torch\nprint(torch.__version__)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run(script)
    assert done.stdout.splitlines().count("own start") == 1


OWN = """
    import importlib, importlib.util, sys
    for name in {names}:
        print(name, importlib.import_module(name).__name__)
        print(importlib.import_module(name + ".part").mine)
    print(importlib.util.find_spec("torch.fft"), importlib.util.find_spec("torch.nn").name)
"""


def test_a_module_of_the_persons_own_wins_whatever_its_name(write, run, tmp_path, monkeypatch):
    names = [name for name in (*_BUILT_ON_TORCH, *_ELSEWHERE) if name.partition(".")[0] != "torch"]
    for number, name in enumerate(names):
        folder = tmp_path / ("beside", "path")[number % 2] / name.replace(".", "/")
        folder.mkdir(parents=True)
        for each in {folder, folder.parent} - {tmp_path / "beside", tmp_path / "path"}:
            (each / "__init__.py").touch()
        (folder / "part.py").write_text(f"mine = {name!r}\n", encoding="utf-8")
    script = write("beside/main.py", OWN.format(names=names))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    done = run(script)
    assert done.stderr == ""
    told = [line for name in names for line in (f"{name} {name}", name)]
    assert done.stdout.splitlines() == [*told, "None torch.nn"]
