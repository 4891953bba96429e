"""What the tests of scripts share: writing one, and running it in its process."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tinygrad_mnist.tools.scripts.running import prepared

ROOT = Path(__file__).resolve().parents[3]
SEED = ROOT.parent / "shared" / "seeds" / "000_4b7d2e5dff6f8247.txt"
OFFLINE = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}


@pytest.fixture
def write(tmp_path):
    """Writes a file of the test's folder: a text, or the cells of a Jupyter notebook."""

    def write(name, content):
        if isinstance(content, list):
            cells = [{"cell_type": "code", "source": textwrap.dedent(each)} for each in content]
            content = json.dumps({"nbformat": 4, "cells": cells})
        path = tmp_path / name
        path.write_text(textwrap.dedent(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def run(tmp_path):
    """Runs a script as `scripts.run` does, in the test's folder, and keeps what it writes."""

    def run(script, *arguments, stdin="", environment=None, **options):
        command, variables = prepared(script, arguments, **options)
        return subprocess.run(
            command,
            cwd=tmp_path,
            input=stdin,
            env={**variables, **OFFLINE, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def run_in_torch(tmp_path):
    """Runs a script with Python and PyTorch."""

    def run(script, *arguments, stdin=""):
        return subprocess.run(
            [sys.executable, str(script), *arguments],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def notebook_seed():
    """The notebook that the project grew from."""
    if not SEED.is_file():
        pytest.skip(f"no notebook at {SEED}")
    return SEED
