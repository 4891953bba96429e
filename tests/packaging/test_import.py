"""``import tinygrad_mnist`` is cheap: what is large loads when it is first needed."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import torch

from tinygrad_mnist import names

ROOT = Path(__file__).resolve().parents[2]
LARGE = {
    "hypothesis",
    "matplotlib",
    "numba",
    "PIL",
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


def test_the_list_of_what_loads_later_is_true():
    for file, functions in names.FILES.items():
        module = importlib.import_module(f"tinygrad_mnist.ops.{file}")
        assert set(functions) == set(module.__all__), file


def test_later_methods_are_pytorchs():
    of_pytorch = {name for name in names.FUNCTIONS if hasattr(torch.Tensor, name)}
    assert {*names.METHODS} - {*names.METHODS_ONLY} == of_pytorch
    assert all(not hasattr(torch, name) for name in names.METHODS_ONLY)


def test_a_later_function_loads_once():
    program = (
        "import sys, tinygrad_mnist as t; "
        "assert 'tinygrad_mnist.ops.joining' not in sys.modules; "
        "assert 'cat' in dir(t) and 'cat' not in vars(t); t.cat; assert 'cat' in vars(t); "
        "assert t.ones(2).cumsum(0).tolist() == [1, 2]; t.ones(2).cumprod_(0); t.linalg.norm"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True)
