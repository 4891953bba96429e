"""The examples in the package's docstrings print what stands under them; `torch` is the package."""

import doctest
import importlib
import pkgutil

import pytest

import tinygrad_mnist

MODULES = ["tinygrad_mnist"] + [
    module.name
    for module in pkgutil.walk_packages(tinygrad_mnist.__path__, "tinygrad_mnist.")
    if not module.name.endswith("__main__")
]


@pytest.mark.filterwarnings("ignore:torch.range is deprecated")
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    given = {"torch": tinygrad_mnist}
    failures, _ = doctest.testmod(importlib.import_module(name), verbose=False, extraglobs=given)
    assert failures == 0


def test_there_are_examples():
    modules = [importlib.import_module(name) for name in MODULES]
    found = [test for module in modules for test in doctest.DocTestFinder().find(module)]
    assert sum(bool(test.examples) for test in found) > 200
