"""`explain`: a function, or a tensor, and the backward pass through what it computed."""

from __future__ import annotations

import html
import importlib.metadata
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_mnist._tensor.creation import tensor as make_tensor
from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.backward_pass import run_backward
from tinygrad_mnist.engine.modes import GradMode
from tinygrad_mnist.engine.node import FREED, AccumulateGrad
from tinygrad_mnist.engine.tensor import Tensor, TensorBase
from tinygrad_mnist.engine.views import current_record, requires_grad
from tinygrad_mnist.serialization import files
from tinygrad_mnist.tools.scripts.import_hook import unanswered

from . import passes
from .checking.against import against_differences, against_pytorch
from .compiled import add_loops
from .output.encoding import encoded
from .output.html import document
from .recording.finishing import finished, names_in, remembering
from .recording.frames import program_frames
from .recording.watching import Seen, Watch

__all__ = ["Explanation", "explain"]


class Explanation:
    """A backward pass, and the computation that it goes back through, as plain data."""

    def __init__(
        self, found: passes.Pass, seconds: float, compiled: tuple[Any, Any] | None = None
    ) -> None:
        self.found = found
        self.seconds = seconds
        self._compiled = compiled
        """The compiled function that it is a pass of, if it is, and its arguments."""
        self._checked = False

    @property
    def nodes(self) -> list[passes.Node]:
        """The tensors of the pass and the operations that made them, in forward order."""
        return self.found.nodes

    @property
    def steps(self) -> list[passes.Step]:
        """The pass step by step: forward, then backward and into `.grad`."""
        return self.found.steps

    @property
    def notes(self) -> list[str]:
        """What there is to say of the pass as a whole."""
        return self.found.notes

    def check(self) -> None:
        """Hold each gradient against PyTorch's, if it is installed, and central differences.

        Of a compiled function the fused loops are found, too. `to_json` and `save` do all that.
        """
        if self._checked:
            return
        self._checked = True
        self._try("Not all gradients were checked", against_differences, self.found)
        with unanswered():
            self._try("Not all gradients were held against PyTorch's", against_pytorch, self.found)
        if self._compiled is not None:
            self._try("The compiled loops are not shown", add_loops, self.found, *self._compiled)

    def _try(self, failed: str, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function, and note its error: whatever it meets, the pass is to be seen."""
        try:
            function(*arguments)
        except Exception as error:
            self.notes.append(f"{failed} ({type(error).__name__}: {error}).")

    def to_json(self) -> dict[str, Any]:
        """The pass as the page reads it: plain data that `json.dumps` takes."""
        begin = time.perf_counter()
        self.check()
        data = encoded(self.found, {})
        seconds = self.seconds + time.perf_counter() - begin
        data["made"] = {name: _version(name) for name in ("tinygrad_mnist", "numpy", "torch")}
        data["made"]["seconds"] = round(seconds, 4)
        return data

    def html(self) -> str:
        """The page: one document that holds all it needs."""
        return document(self.found.title, "explain", self.to_json(), deflated=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, whole or not at all.

        Raises:
            WriteError: the file cannot be written.
        """
        with files.writing(Path(path)) as file:
            file.write(self.html().encode())

    def text(self) -> str:
        """The pass in words and numbers, for a terminal."""
        from .output.text import walk

        return walk(self.found)

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        from .output.dot import graph

        return graph(self.found)

    def _repr_html_(self) -> str:
        """The page inside a notebook, in a frame that may run its script and nothing else."""
        page = html.escape(self.html(), quote=True)
        title = html.escape(self.found.title, quote=True)
        return (
            f'<iframe title="{title}" sandbox="allow-scripts" srcdoc="{page}" width="100%" '
            'height="720" style="border:1px solid #8884;border-radius:6px"></iframe>'
        )

    def __repr__(self) -> str:
        return (
            f"<Explanation of {self.found.title}: {len(self.nodes)} nodes, "
            f"{len(self.steps)} steps; .save('page.html'), .text()>"
        )


def explain(
    what: Tensor | Callable[..., Any],
    *inputs: Any,
    step: int | None = None,
    gradient: Tensor | None = None,
) -> Explanation:
    """What a backward pass does, step by step: `explain(function, *inputs)`, `explain(tensor)`.

    A function is called with `inputs`; numbers and arrays among them are made tensors that require
    gradients. If it returns a tensor, the pass from there is explained, which starts from
    `gradient` (ones, where the tensor is no scalar and none is given) and leaves every `.grad` as
    it is. If it calls `backward` or `autograd.grad` itself, its `step`-th call is (the first).

    Of a tensor the graph is explained that hangs on it; it stays usable, and values that no record
    keeps are computed again or left out. Raises RuntimeError where there is nothing to go back
    through.

    >>> explanation = torch.explain(lambda a, b: (a * b + a) ** 2, 2.0, 3.0)
    >>> [node.op for node in explanation.nodes if node.op]
    ['mul', 'add', 'pow']
    >>> {node.name: float(node.gradient.array) for node in explanation.nodes if node.name}
    {'a': 64.0, 'b': 32.0}
    """
    if isinstance(what, Tensor):
        if inputs or step is not None:
            raise TypeError("explain(): inputs and step= go with a function, not with a tensor")
        return _of_tensor(what, gradient)
    if not callable(what):
        raise TypeError(
            f"explain(): argument 'what' must be a function or a Tensor, not {type(what).__name__}"
        )
    if step is not None and (not isinstance(step, int) or step < 1):
        raise ValueError(f"explain(): step counts calls of backward from 1, got {step!r}")
    return _Call(what, tuple(map(_as_tensor, inputs)), step, gradient, sys._getframe()).explained()


def _as_tensor(given: Any) -> Any:
    """An input as a tensor, if it is a number or an array; one that may get a gradient."""
    if isinstance(given, bool) or not isinstance(given, int | float | list | np.ndarray):
        return given
    made = make_tensor(float(given) if isinstance(given, int) else given)
    return made.requires_grad_(made.is_floating_point())


class _Call:
    """A call that is explained."""

    def __init__(
        self, function: Any, inputs: tuple[Any, ...], step: int | None, gradient: Any,
        frame: FrameType,
    ) -> None:  # fmt: skip
        self.function = function
        self.inputs = inputs
        self.step = step
        self.gradient = gradient
        self.title = _title(function)
        self.found: passes.Pass | None = None
        self.starts: set[Any] = set()
        self.watch = Watch(step, self._kept, frame)

    def explained(self) -> Explanation:
        """Call the function, and explain the pass that was asked for."""
        begin = time.perf_counter()
        with remembering(), self.watch, GradMode(True):
            result = self.function(*self.inputs)
            if self.step is None and self._goes_on(result):
                self._pass_from(result)
        if self.found is None:
            raise RuntimeError(self._nothing(result))
        seconds = time.perf_counter() - begin
        return Explanation(self.found, seconds, self.watch.stack.compiled)

    def _goes_on(self, result: Any) -> bool:
        """Whether the result is to be gone back through: the function itself did not do it."""
        if not isinstance(result, TensorBase):
            return False
        record = current_record(result)
        return record is not None and record not in self.starts

    def _pass_from(self, result: Tensor) -> None:
        self.watch.step, self.watch.is_own = self.watch.passes + 1, True
        own_pass(result, self.gradient)
        if self.gradient is None and result.ndim and self.found is not None:
            self.found.notes.append(_ones(result))

    def _kept(self, seen: Seen) -> None:
        self.starts = {record for record, _ in seen.starts}
        names = names_in(program_frames())
        given = _parameters(self.function, len(self.inputs))
        for name, each in zip(given, self.inputs, strict=False):
            if isinstance(each, TensorBase):
                names |= {id(each._array): name, id(each._record): name}
        self.found = finished(seen, self.watch, self.title, names, frozenset(given))

    def _nothing(self, result: Any) -> str:
        if self.step is not None:
            return (
                f"explain(): step={self.step} was asked for, and {self.title} called backward "
                f"{'once' if self.watch.passes == 1 else f'{self.watch.passes} times'}"
            )
        if isinstance(result, TensorBase):
            says = f"explain(): what {self.title} returned requires no gradient: "
            given = [each for each in self.inputs if isinstance(each, TensorBase)]
            if given and not any(map(requires_grad, given)):
                return (
                    f"{says}none of the tensors given does; call requires_grad_() on one, or pass "
                    "its numbers as an array or a list, of which explain() makes such a tensor"
                )
            return f"{says}no input does, or it was cut off by detach(), no_grad() or whole numbers"
        return (
            f"explain(): {self.title} returned {type(result).__name__} and called no backward: "
            "return a tensor, or call backward inside"
        )


def _title(function: Any) -> str:
    code = getattr(function, "__code__", None)
    if code is not None and code.co_name == "<lambda>":
        return f"lambda, {os.path.basename(code.co_filename)}:{code.co_firstlineno}"
    return str(getattr(function, "__name__", type(function).__name__))


def _ones(result: Tensor) -> str:
    return (
        f"The result has shape {tuple(result.shape)}: the pass starts from a gradient of ones, as "
        "if its elements were summed. Another one can be given as gradient=."
    )


def _of_tensor(tensor: Tensor, gradient: Tensor | None) -> Explanation:
    if current_record(tensor) is None:
        raise RuntimeError(
            "explain(): this tensor requires no gradient, so no graph hangs on it: explain the "
            "function that computes it, or ask why() for the reason"
        )
    begin = time.perf_counter()
    found: list[passes.Pass] = []

    def kept(seen: Seen) -> None:
        names = names_in(program_frames())
        found.append(finished(seen, watch, _called(tensor, names), names))

    watch = Watch(1, kept)
    watch.is_own = True
    with remembering(), watch:
        own_pass(tensor, gradient)
    if gradient is None and tensor.ndim:
        found[0].notes.append(_ones(tensor))
    return Explanation(found[0], time.perf_counter() - begin)


def _called(tensor: Tensor, names: dict[int, str]) -> str:
    known = names.get(id(tensor._record))
    return known if known is not None else f"a tensor of shape {tuple(tensor.shape)}"


def own_pass(tensor: Tensor, gradient: Tensor | None) -> None:
    """Go back from a tensor: its graph stays, and so does each `.grad`."""
    record: Any = current_record(tensor)
    start = np.ones(record.shape, record.dtype)
    if gradient is not None:
        if tuple(gradient.shape) != record.shape:
            raise RuntimeError(
                f"explain(): gradient has shape {tuple(gradient.shape)}, and the tensor that it is "
                f"the gradient of has shape {record.shape}"
            )
        start = np.asarray(gradient._array, record.dtype)
    order = topological_order([record])
    if any(each.saved is FREED for each in order):
        raise RuntimeError(
            "explain(): backward() has freed the graph of this tensor: explain it before that, "
            "or call backward(retain_graph=True), or explain the function that computes it"
        )
    leaves: set[Any] = {each for each in order if isinstance(each, AccumulateGrad)}
    kept = [(each.hooks, each.hooks.grad) for each in order if each.hooks is not None]
    try:
        run_backward(
            [(record, start)], keep_graph=True, create_graph=False, inputs=leaves, accumulate=False
        )
    finally:
        for hooks, grad in kept:
            hooks.grad = grad


def _parameters(function: Any, count: int) -> list[str]:
    """The names of a function's first parameters; of a module's forward, of a callable object's."""
    called = getattr(function, "forward", None) or function
    if not hasattr(called, "__code__"):
        called = getattr(called, "__func__", called)
    code = getattr(called, "__code__", None)
    if code is None:
        return [f"input {number}" for number in range(count)]
    names = list(code.co_varnames[: code.co_argcount])
    if hasattr(called, "__self__") or (names[:1] == ["self"]):
        names = names[1:]
    return [*names, *[f"input {number}" for number in range(len(names), count)]][:count]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
