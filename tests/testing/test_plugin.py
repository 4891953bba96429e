"""The pytest plugin, used as another project would use it: in a folder and process of its own."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import numpy as np
import pytest
import tinygrad_mnist
from tinygrad_mnist.testing import assert_parity

X = np.linspace(-1, 1, 4, dtype=np.float32)

def mine(x):
    return x.exp() * {factor}

def theirs(x):
    return x.exp()

def test_with_the_fixture(parity):
    parity(mine, theirs, X)
    parity(mine, theirs, X[:2])

@pytest.mark.parity(second_order=True, ulp=2)
def test_with_the_marker(parity):
    comparison = parity(mine, theirs, X)
    assert comparison.second
    assert comparison.values[0].allowed == 2

def test_with_the_function_itself():
    print("seed", assert_parity(mine, theirs, X).seed)

def test_without_any():
    pass
"""


REPORT = ("--parity-report", "made/report.json")


def run_tests(folder, *options, factor=1):
    """Runs pytest in a folder that holds the tests above, their formula off by a factor."""
    (folder / "test_mine.py").write_text(TESTS.replace("{factor}", str(factor)))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "COLUMNS": "140",
    }
    return subprocess.run(
        [*command, "-p", "tinygrad_mnist.testing.plugin", *options], cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path):
    return functools.partial(run_tests, tmp_path)


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    """A run of the right formula, and the report that it wrote."""
    folder = tmp_path_factory.mktemp("passed")
    done = run_tests(folder, *REPORT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done, json.loads((folder / "made" / "report.json").read_text())


def section(output):
    """The lines of the report's section, without its title."""
    lines = output.splitlines()
    start = next(i for i, line in enumerate(lines) if "parity with PyTorch" in line)
    end = next(i for i, line in enumerate(lines[start + 1 :], start + 1) if line.startswith("="))
    return [line for line in lines[start + 1 : end] if line]


def test_a_right_formula_passes_and_is_reported(passed):
    done, report = passed
    heads, *rows, last = section(done.stdout)
    assert heads.startswith("test")
    assert last == "written to made/report.json"
    assert [row.split()[0] for row in rows] == [
        "test_mine.py::test_with_the_fixture",
        "test_mine.py::test_with_the_marker",
    ]
    assert [row.split()[1] for row in rows] == ["2", "1"]
    assert [row["differs"] for row in report["test_mine.py::test_with_the_fixture"]] == [[], []]
    assert report["test_mine.py::test_with_the_marker"][0]["second_order_ulp"] < 64


def test_a_wrong_formula_fails_with_a_table_and_a_seed_that_replays_it(project):
    done = project("-k", "fixture", factor=1.001)
    assert done.returncode == 1
    assert "what                 index  tinygrad_mnist" in done.stdout
    assert "gradient of input 0, value" in section(done.stdout)[1]
    seed = done.stdout.partition("seed=")[2].split()[0]
    again = project("-k", "itself", "-s", "--parity-seed", seed, factor=1.001)
    assert f"seed={seed} replays it" in again.stdout


def test_runs_repeat_themselves_in_any_folder_and_process(project, passed):
    pytest.importorskip("xdist")
    done = project("-p", "xdist", "--numprocesses", "2", *REPORT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(section(done.stdout)) == 4
    assert sorted(section(done.stdout)) == sorted(section(passed[0].stdout))


def test_nothing_is_reported_where_nothing_was_compared(project):
    done = project("-k", "without_any")
    assert done.returncode == 0
    assert "parity with PyTorch" not in done.stdout


def test_loading_the_plugin_loads_nothing_large():
    program = (
        "import sys, tinygrad_mnist.testing.plugin\n"
        "large = {'torch', 'hypothesis', 'numba', 'tinygrad_mnist.tools.parity.table'}\n"
        "print(sorted(large & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_pytest_s_help_shows_the_options(project):
    done = project("--help")
    assert done.returncode == 0
    assert "--parity-seed" in done.stdout
    assert "--parity-report" in done.stdout


FRAMEWORKS = """
import numpy as np
import pytest
from tinygrad_mnist.testing import parametrize_frameworks

SQUARE = {
    "numpy": (lambda x: x * x, lambda g, x: {factor} * x * g),
    "tinygrad_mnist": lambda x: x * x,
    "torch-cuda": lambda x: x * x,
}

@parametrize_frameworks("numpy", "tinygrad_mnist", "torch-cuda")
@pytest.mark.gradients(shrink=False)
def test_square(framework, gradients):
    gradients(SQUARE[framework], np.linspace(-1, 1, 5), framework=framework)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_gradients_are_checked_in_each_framework(tmp_path, workers):
    if workers:
        workers = ("-p", "xdist.plugin", *workers)
    (tmp_path / "test_mine.py").write_text(FRAMEWORKS.replace("{factor}", "2"))
    done = _run(tmp_path, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 1 skipped" in done.stdout or "3 passed" in done.stdout


def test_a_wrong_backward_is_named_and_replayed(tmp_path):
    (tmp_path / "test_mine.py").write_text(FRAMEWORKS.replace("{factor}", "-2"))
    done = _run(tmp_path, "-k", "numpy")
    assert done.returncode == 1
    assert "sign" in done.stdout
    assert "test_square[numpy]" in done.stdout


def test_a_framework_that_is_none_is_refused():
    from tinygrad_mnist.testing import parametrize_frameworks

    with pytest.raises(ValueError, match="no framework 'theano'; there are tinygrad_mnist, "):
        parametrize_frameworks("torch", "theano")


def _run(folder, *options):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-rs",
         "--strict-markers", "-p", "tinygrad_mnist.testing.plugin", *options],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
