"""A backward pass as plain data, of which the page, the text and the picture are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tinygrad_mnist.core.record import Array

__all__ = [
    "Check", "Contribution", "Edge", "Gradient", "Loop", "Node", "Pass", "Place", "Saved", "Scope",
    "Source", "Step", "Why",
]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """How near a gradient came to the same gradient found another way."""

    ok: bool
    ulp: float | None
    """The largest difference, in units of the last place."""
    largest: float
    """The largest absolute difference."""
    elements: int
    """How many were compared; 0: nothing can be told, and the note says why."""
    note: str | None = None


@dataclass
class Gradient:
    """The complete gradient of the result with respect to a node, and what it was held against."""

    array: Array
    before: Array | None = None
    """What had come, where a hook changed it; no part of the data."""
    pytorch: Check | None = None
    differences: Check | None = None


@dataclass(frozen=True)
class Edge:
    """An input of an operation: from which node, as which argument."""

    node: int
    argument: str


@dataclass(frozen=True)
class Saved:
    """A value that an operation saved for its derivatives."""

    name: str
    array: Array | None
    node: int | None
    """The node whose value it is, if it is one's."""


@dataclass(frozen=True)
class Place:
    """A line of a source."""

    file: int
    line: int


@dataclass
class Node:
    """A tensor of the pass, and the operation that made it, if one did."""

    id: int
    kind: Literal["parameter", "leaf", "input", "constant", "operation"]
    name: str | None
    op: str | None
    grad_fn: str | None
    says: str | None
    inputs: list[Edge]
    attributes: dict[str, str]
    shape: tuple[int, ...]
    dtype: str
    value: Array | None
    source: Place | None = None
    order: int = 1
    """2: made by the formulas of an earlier backward pass."""
    under: int | None = None
    """Of order 2: the node whose formula made it."""
    scope: int | None = None
    requires_grad: bool = True
    is_leaf: bool = False
    view_of: int | None = None
    in_place: bool = False
    saves: list[Saved] = field(default_factory=list)
    seconds: float | None = None
    bytes: int = 0
    loop: int | None = None
    gradient: Gradient | None = None
    primitive: Any = None
    """The operation itself, for its formulas; no part of the data."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The attributes as they are; no part of the data."""


@dataclass
class Scope:
    """A box around nodes: a module, a function, a loop, an iteration of one."""

    id: int
    parent: int | None
    kind: Literal["module", "function", "loop", "iteration"]
    name: str
    type: str | None
    nodes: list[int] = field(default_factory=list)
    """Those directly inside."""
    repeats: int | None = None


@dataclass(frozen=True)
class Contribution:
    """What a backward step gave to one input."""

    to: int
    argument: str
    raw_shape: tuple[int, ...]
    summed: tuple[int, ...]
    """The dimensions of `raw_shape` that were summed, since they were broadcast forward."""
    stretched: tuple[int, ...]
    """The input's dimensions that were stretched, since they were reduced forward."""
    array: Array
    position: int


@dataclass(frozen=True)
class Step:
    """One step: an operation forward, its derivatives backward, or a leaf's `.grad`."""

    number: int
    phase: Literal["forward", "backward", "accumulate"]
    node: int
    seconds: float | None = None
    bytes: int = 0
    gradient: Array | None = None
    """Backward: what arrived; None where it comes from several outputs."""
    contributions: tuple[Contribution, ...] = ()
    frees: tuple[str, ...] = ()
    before: Array | None = None
    """Accumulate: what `.grad` held before."""
    array: Array | None = None
    """Accumulate: what it holds after."""


@dataclass(frozen=True)
class Source:
    """A program's text."""

    name: str
    text: str


@dataclass(frozen=True)
class Loop:
    """A fused loop of a compiled step, with the code that was generated for it."""

    name: str
    nodes: list[int]
    source: str


@dataclass(frozen=True)
class Why:
    """Why a gradient is what it is."""

    node: int
    cause: str
    paragraph: str
    chain: list[int]
    fix: str


@dataclass
class Pass:
    """A forward computation and the backward pass through it."""

    title: str
    nodes: list[Node]
    scopes: list[Scope]
    steps: list[Step]
    sources: list[Source]
    notes: list[str]
    loops: list[Loop] = field(default_factory=list)
    why: list[Why] = field(default_factory=list)
    starts: dict[int, Array] = field(default_factory=dict)
    """The gradients that the pass began with, by node; no part of the data."""
