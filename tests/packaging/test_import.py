"""``import tinygrad_mnist`` is cheap: what is large loads when it is first needed."""

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist import names
from tinygrad_mnist._tensor.tensor_class import Methods

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


def test_each_name_is_where_the_table_says():
    for name, place in names.NAMES.items():
        module, _, attribute = place.partition(":")
        found = importlib.import_module(f"tinygrad_mnist.{module}")
        there = getattr(found, attribute)
        assert getattr(tinygrad_mnist, name) is getattr(there, "public", there), name
        assert name in dir(tinygrad_mnist)


def test_each_module_is_there():
    for name in names.MODULES:
        assert getattr(tinygrad_mnist, name) is importlib.import_module(f"tinygrad_mnist.{name}")
    for name in names.MODULE_ALIASES:
        assert importlib.import_module(f"tinygrad_mnist.{name}").__doc__


@pytest.mark.parametrize("name", ["cuda.Nonsense", "backends.none"])
def test_nothing_else_is_found_below_a_module_that_moved(name):
    assert importlib.util.find_spec(f"tinygrad_mnist.{name}") is None


def test_methods_are_pytorchs():
    operations = {name for name, place in names.NAMES.items() if place.startswith("ops.")}
    random = {name for name in operations if names.NAMES[name].startswith("ops.random_factories:")}
    of_pytorch = {name for name in operations - random if hasattr(torch.Tensor, name)}
    assert {*names.METHODS} & operations == of_pytorch - {"where"}
    assert all(not hasattr(torch, name) for name in {*names.METHODS} - operations)
    assert all(hasattr(torch.Tensor, f"{name}_") for name in names.IN_PLACE)


def test_the_class_has_each_method():
    for name in names.METHODS:
        assert getattr(tinygrad_mnist.Tensor, name) is vars(Methods)[name]
    for name in names.IN_PLACE:
        assert getattr(tinygrad_mnist.Tensor, f"{name}_").__doc__


def test_a_later_function_loads_once():
    program = (
        "import sys, tinygrad_mnist as t; "
        "assert 'tinygrad_mnist.ops.joining' not in sys.modules; "
        "assert 'cat' in dir(t) and 'cat' not in vars(t); t.cat; assert 'cat' in vars(t); "
        "assert t.ones(2).cumsum(0).tolist() == [1, 2]; t.ones(2).cumprod_(0); t.linalg.norm"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", ["datasets", "backends", "cuda"])
def test_a_package_that_moved_is_refused_as_a_program_like_any_other(name):
    done = subprocess.run(
        [sys.executable, "-m", f"tinygrad_mnist.{name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"'tinygrad_mnist.{name}' is a package and cannot be directly" in done.stderr
    assert "Traceback" not in done.stderr
