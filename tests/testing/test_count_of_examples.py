"""The session says how many examples Hypothesis tried, however many processes tried them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
from hypothesis import given, settings, strategies as st

@settings(max_examples={count}, database=None)
@given(st.integers())
def test_first(number):
    pass

def test_without_examples():
    pass
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_examples_of_all_processes_are_added_up(tmp_path, processes):
    shutil.copy(Path(__file__).resolve().parents[1] / "conftest.py", tmp_path / "conftest.py")
    for name, count in (("a", 7), ("b", 11)):
        (tmp_path / f"test_{name}.py").write_text(TESTS.format(count=count), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", processes, "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert "Hypothesis tried 18 examples in 2 tests" in run.stdout
