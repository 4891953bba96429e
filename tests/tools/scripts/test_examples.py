"""Scripts of the kind that PyTorch's documentation shows run unchanged, and print the same."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
ADDRESS = re.compile(r"0x[0-9a-f]+")

ALL_IN_ONE_PROCESS = """
import contextlib, io, json, runpy, sys, torch
printed = {}
for path in sys.argv[1:]:
    output = io.StringIO()
    sys.argv = [path]
    with contextlib.redirect_stdout(output):
        runpy.run_path(path, run_name="__main__")
    torch.set_default_device(None)
    printed[path] = output.getvalue()
print(json.dumps(printed))
"""


@pytest.fixture(scope="session")
def printed_by_torch():
    """What PyTorch prints, by script."""
    command = [sys.executable, "-c", ALL_IN_ONE_PROCESS, *map(str, EXAMPLES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_addresses(text):
    return ADDRESS.sub("0x…", text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_prints_what_it_prints_in_pytorch(path, run, printed_by_torch):
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 2
    assert without_addresses(done.stdout) == without_addresses(printed_by_torch[str(path)])


def test_pytorch_documents_at_least_these():
    assert {path.stem for path in EXAMPLES} >= {
        "autograd_tour",
        "custom_function",
        "polynomial_module",
        "polynomial_nn",
        "weight_sharing",
    }
