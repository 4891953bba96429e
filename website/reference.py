"""The API's pages: public names by subject, whose text mkdocstrings takes from the docstrings."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import FunctionType
from typing import NamedTuple

from tinygrad_mnist import names

PACKAGE = "tinygrad_mnist"


class Subject(NamedTuple):
    """A page of the reference: its file, its title, a sentence, the names that it explains."""

    file: str
    title: str
    says: str
    names: Iterable[str]


OPERATIONS = {
    "elementwise": (
        "Element by element",
        "elementwise arithmetic conditional casting softmax special",
    ),
    "reductions": ("Sums and other reductions", "reductions cumulative quantiles"),
    "matrices": ("Products of matrices", "matmul matrices linear_algebra"),
    "shapes": ("Shapes, joining, arranging", "shapes joining arranging views"),
    "indexing": ("Indexing, sorting", "indexing gather_scatter scatter_reduce sorting"),
    "windows": ("Convolution and pooling", "convolution pooling volumes"),
}
"""The pages of operations: the title of each, and the files in `ops` that it is about."""

TYPES = """
dtypes _tensor.description _tensor.printing engine.device engine.size engine.types
hardware.settings hardware.amp ops.arguments
"""
"""The files that say what a tensor is made of, and where."""

EXPLAINING = ["explain", "explainer.explanation.Explanation", "why", "explainer.why.Reason"]


def subjects() -> list[Subject]:
    """The pages, in the order in which they are listed."""
    operations = [
        Subject(f"operations-{file}", title, "", _of(*(f"ops.{name}" for name in ops.split())))
        for file, (title, ops) in OPERATIONS.items()
    ]
    return [
        Subject(
            "creation",
            "Making tensors",
            "From numbers, from arrays, filled, or drawn at random.",
            _of("_tensor.creation", "ops.random_factories", "ops.random_draws", "ops.generator"),
        ),
        Subject("tensor", "Tensor", "", ["engine.tensor_class.Tensor"]),
        Subject(
            "types",
            "Types, shapes, settings",
            "",
            _of(*TYPES.split()),
        ),
        *operations,
        Subject("linalg", "linalg", "", _in("linalg")),
        Subject("nn", "nn: modules", "", _in("nn")),
        Subject("functional", "nn.functional", "", _in("nn.functional")),
        Subject("init", "nn.init and nn.utils", "", [*_in("nn.init"), *_in("nn.utils")]),
        Subject(
            "optim",
            "optim: optimisers and schedules",
            "",
            [*_in("optim"), *_in("optim.lr_scheduler")],
        ),
        Subject(
            "autograd",
            "autograd",
            "",
            [*_in("autograd"), *_in("autograd.functional"), *_in("func")],
        ),
        Subject("compile", "compile", "", ["compile"]),
        Subject("explain", "explain, why", "", EXPLAINING),
        Subject("data", "utils.data", "", _in("utils.data")),
        Subject("saving", "Saving and loading", "", ["save", "load"]),
        Subject("testing", "testing", "", _in("testing")),
    ]


def pages() -> dict[str, str]:
    """The text of each page by its place."""
    found = {}
    for subject in subjects():
        blocks = "\n\n".join(f"::: {PACKAGE}.{name}" for name in subject.names)
        found[f"api/{subject.file}.md"] = f"# {subject.title}\n\n{subject.says}\n\n{blocks}\n"
    return found


def _of(*places: str) -> list[str]:
    """The top-level names that are found in these modules."""
    return sorted(
        name
        for name, place in names.NAMES.items()
        if place.partition(":")[0] in places and name == place.partition(":")[2]
    )


def _in(module: str, *left: str) -> list[str]:
    """The public functions and classes of a module of the package, with the module's name."""
    found = importlib.import_module(f"{PACKAGE}.{module}")
    own = (name for name, value in vars(found).items() if _is_of(value, found.__name__))
    listed = getattr(found, "__all__", own)
    return [
        f"{module}.{name}"
        for name in sorted(listed)
        if callable(getattr(found, name)) and name[0] != "_" and name not in left
    ]


def _is_of(value: object, module: str) -> bool:
    return isinstance(value, FunctionType | type) and value.__module__ == module
