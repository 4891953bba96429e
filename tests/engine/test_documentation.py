"""`help` and `inspect.signature` tell of each operation what PyTorch's calls need."""

import contextlib
import doctest
import inspect
import pydoc

import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist import names
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

PUBLIC = {name: getattr(tinygrad_mnist, name) for name in sorted(names.NAMES)}
PRIMITIVES = [name for name, each in PUBLIC.items() if isinstance(each, Primitive)]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_help_says_formula_shapes_types_and_an_example_that_runs(name):
    operation = PUBLIC[name]
    text = pydoc.plain(pydoc.render_doc(operation))
    parameters = ", ".join(inspect.signature(operation).parameters)
    assert f"{operation.says}, where x is `input`" in text
    assert "Shapes: (2, 1)" in text
    assert "float32" in text or name.startswith("bitwise")
    assert parameters == "input, other" if len(operation.inputs) == 2 else parameters == "input"
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    test = parser.get_doctest(operation.__doc__, {"torch": tinygrad_mnist}, name, None, 0)
    assert runner.run(test) == doctest.TestResults(failed=0, attempted=1)


def by_name(row):
    """The first arguments that a row is tried on, by the names of the function's parameters."""
    sample = row.sample("ordinary", 0)
    parameters = list(inspect.signature(PUBLIC[row.name]).parameters.values())
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    names = [parameter.name for parameter in parameters]
    return dict(zip(names, sample.arguments, strict=False)) | sample.options


NO_NAMES = ("dsplit", "hsplit", "is_tensor", "tensor_split", "typename", "vsplit")
"""PyTorch takes what these are given by position, or by other names than its manual has."""
FUNCTIONS = [
    row
    for row in OPERATIONS
    if row.name in PUBLIC and row.function is None and row.name not in NO_NAMES
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.name)
def test_parameters_have_the_names_that_pytorch_calls_them_by(row):
    given = by_name(row)
    if given is None:
        return
    for engine in (torch, tinygrad_mnist):
        (keywords,) = twin(engine, (read(given),)).arguments
        with contextlib.suppress(RuntimeError):
            getattr(engine, row.name)(**keywords)
