"""One function in every framework: results, gradients, forward mode, gradients of gradients."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_mnist.tools import frameworks
from tinygrad_mnist.tools.frameworks import Unsupported

NAMES = {
    "tinygrad_mnist": "tinygrad_mnist",
    "torch": "torch",
    "jax": "jax.numpy",
    "jax-jit": "jax.numpy",
    "autograd": "autograd.numpy",
    "mygrad": "mygrad",
    "tinygrad": "tinygrad",
    "numpy": "numpy",
}
"""The module that has the framework's functions."""


def written_in(name):
    """tanh x · y, and Σ x² y, as somebody writes it in the framework."""
    if reason := frameworks.known()[name].missing():
        pytest.skip(reason)
    np_like = importlib.import_module(NAMES[name])
    tanh = np_like.Tensor.tanh if name == "tinygrad" else np_like.tanh

    def function(x, y):
        return tanh(x) * y, {"sum": (x * x * y).sum()}

    if name != "numpy":
        return function

    def backward(g, h, x, y):
        return (1 - np.tanh(x) ** 2) * y * g + 2 * x * y * h, np.tanh(x) * g + x * x * h

    return function, backward


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def given(request):
    """Two inputs, two gradients from above, and how near is near."""
    x, y, g = np.random.default_rng(0).standard_normal((3, 3, 4)).astype(request.param)
    return [x, y], [g, request.param(0.7).reshape(())], 64 * np.finfo(request.param).eps


def expected(x, y, g, h):
    return (1 - np.tanh(x) ** 2) * y * g + 2 * x * y * h, np.tanh(x) * g + x * x * h


@pytest.mark.parametrize("name", NAMES)
def test_gradients_go_back_and_may_do_so_again(name, given):
    inputs, above, near = given
    result, pull = frameworks.known()[name].vjp(written_in(name), inputs)
    assert [place for place, _ in frameworks.leaves(result)] == ["value[0]", "value[1]['sum']"]
    for _ in range(2):
        for ours, right in zip(pull(above), expected(*inputs, *above), strict=True):
            assert ours.dtype == inputs[0].dtype
            np.testing.assert_allclose(ours, right, rtol=near, atol=near)


@pytest.mark.parametrize("name", NAMES)
def test_forward_mode_and_second_order_or_a_sentence(name, given):
    inputs, above, near = given
    x, y = inputs
    framework, function = frameworks.known()[name], written_in(name)
    directions = [np.ones_like(x), np.zeros_like(y)]
    if name in ("numpy", "mygrad", "tinygrad"):
        with pytest.raises(Unsupported, match="has no forward mode"):
            framework.jvp(function, inputs, directions)
    else:
        pushed = framework.jvp(function, inputs, directions)
        np.testing.assert_allclose(pushed[0], (1 - np.tanh(x) ** 2) * y, rtol=near, atol=near)
    if name in ("numpy", "mygrad"):
        with pytest.raises(Unsupported, match="has no gradients of gradients"):
            framework.gradients(function, inputs)
        return
    gradients, results = framework.gradients(function, inputs)
    assert results == 2
    _, pull = framework.vjp(gradients, [*inputs, *above])
    second = pull([np.ones_like(x), np.zeros_like(y)])
    g, h = above
    right = -2 * np.tanh(x) * (1 - np.tanh(x) ** 2) * y * g + 2 * y * h
    np.testing.assert_allclose(second[0], right, rtol=near, atol=near)
    np.testing.assert_allclose(second[2], (1 - np.tanh(x) ** 2) * y, rtol=near, atol=near)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_tells_its_framework(name):
    function = written_in(name)
    wanted = name.partition("-")[0]
    assert frameworks.of_function(function) == wanted
    if name != "numpy":
        assert frameworks.of_function(lambda x, y: function(x, y)) == wanted


def test_what_is_not_known_or_not_installed_is_told(monkeypatch):
    with pytest.raises(ValueError, match="no framework 'theano'; there are tinygrad_mnist, "):
        frameworks.find("theano")
    monkeypatch.setattr(type(frameworks.known()["mygrad"]), "package", "not_installed_at_all")
    with pytest.raises(ModuleNotFoundError, match="not installed: pip install mygrad"):
        frameworks.find("mygrad")


def test_operators_alone_tell_nothing():
    assert frameworks.of_function(lambda x: x * x) is None


def test_nothing_is_imported_that_is_not_asked_for():
    code = (
        "import sys; from tinygrad_mnist.tools import frameworks; frameworks.known(); "
        "print(*{'torch', 'jax', 'mygrad', 'tinygrad', 'autograd'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
