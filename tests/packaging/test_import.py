"""``import tinygrad_mnist`` is cheap: what is large loads when it is first needed."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGE = {
    "hypothesis",
    "matplotlib",
    "numba",
    "platformdirs",
    "pytest",
    "requests",
    "rich",
    "safetensors",
    "torch",
    "typer",
}


def test_import_loads_nothing_large():
    program = (
        "import json, sys; from tinygrad_mnist import Tensor; print(json.dumps([*sys.modules]))"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert LARGE.intersection(json.loads(result.stdout)) == set()
