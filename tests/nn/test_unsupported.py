"""What PyTorch has and these packages have not is named when it is asked for."""

import importlib

import pytest

import tinygrad_mnist
from tinygrad_mnist.names import Unsupported

PACKAGES = {
    "nn": "LazyLSTM",
    "nn.functional": "embedding_bag",
    "optim": "SparseAdam",
    "optim.lr_scheduler": "WarmupLR",
    "utils.data": "IterDataPipe",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_an_absent_name(package):
    module = importlib.import_module(f"tinygrad_mnist.{package}")
    name = PACKAGES[package]
    with pytest.raises(
        Unsupported, match=rf"torch\.{package}\.{name} is not (part of|supported by) tinygrad_mnist"
    ):
        getattr(module, name)
    assert not hasattr(module, name)
    assert not hasattr(module, "__wrapped__")


def test_the_names_that_are_there():
    for package in PACKAGES:
        module = importlib.import_module(f"tinygrad_mnist.{package}")
        for name in module.__all__:
            assert getattr(module, name) is not None
            assert getattr(tinygrad_mnist, package.split(".")[0]) is not None
