"""The generated source run as plain Python, so that most tests wait for no compiler."""

import importlib
import math
import types

import numpy as np
import pytest

from tinygrad_mnist.compiler import build, cache_entry, choices, compiled
from tinygrad_mnist.compiler.codegen.sharing import with_pieces
from tinygrad_mnist.compiler.codegen.writer import Unsupported
from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.kernels.native_code import Code
from tinygrad_mnist.kernels.team import bounds, share


def as_python(module):
    """A module's loops as they are written."""
    return types.SimpleNamespace(
        **{name: getattr(each, "py_func", each) for name, each in vars(module).items()}
    )


class as_code:
    """What a source is compiled to: this function for all arrays."""

    def __init__(self, function):
        self.entry = function

    def code(self, arrays):
        return Code(self.entry, 0, None)

    def code_of_rows(self, arrays):
        return None

    def tell(self, seconds):
        pass


@pytest.fixture(scope="session")
def loops():
    """Modules of loops, with which those of the kernels are loaded, on a new machine compiled."""
    from tinygrad_mnist.compiler.loops import images, products, scalars, steps

    return types.SimpleNamespace(images=images, products=products, scalars=scalars, steps=steps)


def batch(counts, sizes, *arrays):
    """`products.batch` by NumPy."""
    m, k, n = sizes
    shapes = ((m, k), (k, n), (m, n))
    a, b, out = [
        np.lib.stride_tricks.as_strided(
            x[at[0] :], (*counts, *shape), [x.itemsize * step for step in at[1:]]
        )
        for x, at, shape in zip(arrays[::2], arrays[1::2], shapes, strict=True)
    ]
    out[...] = a @ b


@pytest.fixture(scope="session")
def written(loops):
    """What generated source names, without a compiler."""
    names = {name: as_python(getattr(loops, name)) for name in ("images", "products", "scalars")}
    # np.dot takes a matrix of one number for a number, and 0 · ∞ for 0; compiled it does not
    names["products"].blas, names["products"].batch = np.matmul, batch
    team = types.SimpleNamespace(
        pieces=lambda work, most: max(1, min(3, most)),
        bounds=getattr(bounds, "py_func", bounds),
        share=share,
    )
    return {"math": math, "np": np, "team": team, **names}


@pytest.fixture
def plain(monkeypatch, written):
    """Generated functions run as Python; products are BLAS's, for which nothing is compiled.

    Convolutions alone are compiled loops, the same for all programs.
    """

    def load(text, fastmath):
        names = dict(written)
        if "batch_last." in text:
            dispatch.prepare()
            names["batch_last"] = importlib.import_module("tinygrad_mnist.kernels.batch_last")
        text, pieces = with_pieces(text)
        exec("\n\n".join([*pieces.values(), text]), names)

        def step(*arrays):
            with np.errstate(all="ignore"):
                return names["step"](*arrays)

        return as_code(step)

    monkeypatch.setattr(build, "load", load)
    monkeypatch.setattr(choices.Product, "best", lambda product: product.candidates()[0])


@pytest.fixture
def shared(monkeypatch):
    """However few numbers a loop computes, it is cut into pieces."""
    monkeypatch.setattr(choices, "_LARGE", 0)


@pytest.fixture
def replayed(monkeypatch):
    """Programs are replayed, none is generated, for tests that ask only when they hold."""

    def nothing(program):
        raise Unsupported("any")

    monkeypatch.setattr(cache_entry, "build", nothing)
    monkeypatch.setattr(cache_entry.CacheEntry, "interpret_because", lambda entry, reason: None)


@pytest.fixture
def traces(monkeypatch):
    """A list that grows by one with each trace."""
    made = []
    trace = compiled.trace_call

    def counted(*arguments):
        made.append(1)
        return trace(*arguments)

    monkeypatch.setattr(compiled, "trace_call", counted)
    return made
