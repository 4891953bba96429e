"""Tracing: calling a function once, and writing down every operation as it happens."""

from __future__ import annotations

import contextlib
import functools
import inspect
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.autograd.function import FUNCTION
from tinygrad_mnist.core.record import next_sequence
from tinygrad_mnist.engine.backward_pass import run_backward, vjp
from tinygrad_mnist.engine.hooks import Gradients
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.node import Record
from tinygrad_mnist.engine.observer import (
    constant,
    detached,
    from_outside,
    item,
    observe,
    untraceable,
)
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.ops.indexing import _index as index
from tinygrad_mnist.ops.indexing import index_put

from .program import (
    IGNORES,
    Array,
    Constant,
    Draw,
    Input,
    Instruction,
    Number,
    Phase,
    Program,
    Value,
)

_PACKAGE = __name__.partition(".")[0]
_BETWEEN = (contextlib.__file__, functools.__file__)
"""Where frames lie between those of the package and the user's."""


_DRAWN_BY_NUMBERS = (
    "bernoulli_of", "multinomial", "normal_of_both", "normal_of_means", "normal_of_stds",
)  # fmt: skip
_LABELLED = ("nll_loss", "nll_loss_backward")


def _array_of(given: Any) -> Any:
    return given._array if isinstance(given, TensorBase) else given


class TraceError(RuntimeError):
    """With `fullgraph=True`: a function did what no program can; the message names the line."""


class _Untraceable(Exception):
    """What was met has no place in a program, yet may be computed without one."""


def _has_mask(key: tuple[Any, ...]) -> bool:
    return any(isinstance(part, np.ndarray) and part.dtype == bool for part in key)


def is_ours(file: str) -> bool:
    """Whether a file belongs to the package."""
    return f"/{_PACKAGE}/" in file.replace("\\", "/")


def user_line() -> str:
    """Where in the user's program the operation now running was called."""
    for frame in reversed(traceback.extract_stack()):
        if not is_ours(frame.filename) and frame.filename not in _BETWEEN:
            return f'File "{frame.filename}", line {frame.lineno}: {frame.line}'
    return "an unknown line"


class Tracer(observe):
    """Listens to every primitive inside a `with` block, and keeps a list of instructions.

    Arrays are known by identity. What is not known when it is first read is an `obstacle`, unless
    the function reaches it outside: then it is given when it is first met.
    """

    def __init__(self) -> None:
        super().__init__(self._observe)
        self.inputs: list[Input] = []
        self.instructions: list[Instruction] = []
        self.draws: list[Draw] = []
        self._phase: Phase = "forward"
        self.given: list[Array] = []
        """The arrays from outside."""
        self.captured: dict[int, Callable[[], object]] = {}
        """What gives the arrays that the function reaches, and perhaps never reads."""
        self.born = next_sequence()
        """Older records are of what happened before."""
        self.walks_own = False
        """Whether the backward pass at hand ends at records of what happened before."""
        self._known: dict[int, Value] = {}
        self._alive: list[Array] = []
        self._views: dict[int, tuple[TensorBase, Primitive, dict[str, Any]]] = {}
        self._stale: set[int] = set()
        self._made: weakref.WeakKeyDictionary[Record, int] = weakref.WeakKeyDictionary()
        """Which instruction left a record."""
        self._under = -1
        self.obstacle = ""
        """Why no program can do what was heard; then nothing more is heard."""

    def __enter__(self) -> None:
        super().__enter__()
        self._mode = backward_mode.on_tensors, backward_mode.vjp
        backward_mode.on_tensors, backward_mode.vjp = True, self._vjp

    def __exit__(self, *details: object) -> None:
        backward_mode.on_tensors, backward_mode.vjp = self._mode
        super().__exit__(*details)

    def _vjp(self, record: Record, gradient: Any, wanted: set[Record] | None) -> Gradients:
        """A record's gradients; none of what happened before the function was called."""
        if record.sequence < self.born:
            if self.walks_own:
                return []
            self.stop(
                "the function backpropagates through a tensor to what that was computed from: call "
                "backward() outside"
            )
        outside, self._under = self._under, self._made.get(record, -1)
        try:
            return (self._mode[1] or vjp)(record, gradient, wanted)
        finally:
            self._under = outside

    def stop(self, why: str) -> None:
        """Note why no program can do what is done, unless a reason is known."""
        if not self.obstacle:
            self.obstacle = f"{why}. {user_line()}"

    def give(self, array: Array, name: str) -> Input:
        """Declare an array from outside."""
        known = self._known.get(id(array))
        if isinstance(known, Input):
            return known
        value = Input(array.shape, array.dtype, name, position=len(self.inputs))
        self.inputs.append(value)
        self.given.append(array)
        self._bind(array, value)
        return value

    def value_of(self, array: Array) -> Value | None:
        """What the program calls this array now; None if it never met it."""
        if id(array) in self.captured and id(array) not in self._known:
            if self.walks_own:  # gradients are the last of what is given
                return None
            self.captured[id(array)]()
        if id(array) in self._stale:
            base, op, attributes = self._views[id(array)]
            self._stale.discard(id(array))
            self._known[id(array)] = self._emit(op.name, (self._read(base),), attributes, array)
        return self._known.get(id(array))

    def scattered(self) -> list[int]:
        """Which of the arrays from outside do not lie in memory one after the other."""
        return [n for n, given in enumerate(self.given) if not given.flags.c_contiguous]

    def view_of(self, array: Array) -> tuple[TensorBase, Primitive, dict[str, Any]] | None:
        """What this array is a view of, and how it was taken."""
        known = self._views.get(id(array))
        return None if known is None else (known[0], known[1], known[2])

    def position_of(self, array: Array) -> int | None:
        """Which of the arrays from outside this is, if any."""
        return next((n for n, given in enumerate(self.given) if given is array), None)

    def program(self, results: list[Value]) -> Program:
        """What was heard, with the arrays from outside that were written to."""
        now = [self._read_array(array) for array in self.given]
        writes = [(i, v) for i, v in zip(self.inputs, now, strict=True) if v is not i]
        return Program(self.inputs, self.instructions, results, writes)

    def _bind(self, array: Array, value: Value) -> None:
        if id(array) not in self._known:
            self._alive.append(array)
        self._known[id(array)] = value

    def _emit(
        self, op: str, inputs: tuple[Value, ...], attributes: dict[str, Any], like: Array | Value
    ) -> Value:
        """Write an instruction whose result has the shape and type of an array."""
        output = Value(like.shape, like.dtype)
        self._note_phase()
        number = len(self.instructions)
        self.instructions.append(
            Instruction(op, inputs, attributes, output, self._phase, number, self._under)
        )
        return output

    def _note_phase(self) -> None:
        """Whether a backward pass runs is told by the functions that are running."""
        frame = inspect.currentframe()
        while frame is not None and frame.f_code is not run_backward.__code__:
            frame = frame.f_back
        if frame is not None:
            self._phase = "backward"
        elif self._phase == "backward":
            self._phase = "update"

    def _read(self, given: Any) -> Value:
        if isinstance(given, TensorBase):
            return self._read_array(given._array)
        if isinstance(given, np.ndarray) and given.ndim:
            return self._read_array(given)
        if isinstance(given, np.ndarray):
            number = Number((), given.dtype, number=given.item())
            self._bind(given, number)  # a formula may ask for it as a saved value
            return number
        plain = given.item() if isinstance(given, np.generic) else given
        return Number((), np.result_type(type(plain)), number=plain)

    def _operands(self, op: Primitive, inputs: tuple[Any, ...]) -> tuple[Value, ...]:
        """The inputs, in the one type that the operation computes in, where it has one."""
        values = tuple([self._read(given) for given in inputs])
        if op.promotion is None:
            return values
        arrays = [i._array if isinstance(i, TensorBase) else i for i in inputs]
        kind = op.promotion(tuple(arrays)).numpy
        return tuple([self._cast(value, kind) for value in values])

    def _know_saved(self, output: Any, values: tuple[Value, ...]) -> None:
        """Operands that were cast on the way may be saved for the backward pass as they are now."""
        saved = () if output._record is None else output._record.saved
        for kept, value in zip(saved, values, strict=False):
            if kept is not None and isinstance(kept[0], np.ndarray):
                self._known.setdefault(id(kept[0]), value)
                self._alive.append(kept[0])

    def _cast(self, value: Value, kind: np.dtype[Any]) -> Value:
        if isinstance(value, Number):
            wraps = kind.kind in "iu" and isinstance(value.number, int)
            number = np.asarray(value.number).astype(kind).item() if wraps else value.number
            return Number((), kind, number=number)
        if value.dtype == kind:
            return value
        return self._emit("cast", (value,), {"dtype": kind}, Value(value.shape, kind))

    def _read_array(self, array: Array) -> Value:
        value = self.value_of(array)
        if value is None:
            raise _Untraceable(
                f"a tensor of shape {tuple(array.shape)} comes from where no operation was seen: "
                "pass it as an argument"
            )
        return value

    def _observe(
        self, op: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any], output: Any
    ) -> None:
        if self.obstacle or op is FUNCTION or op is detached:  # whose forward, or array, is known
            return
        try:
            self._record(op, inputs, attributes, output)
        except _Untraceable as found:
            self.stop(str(found))
        except Exception as error:
            self.stop(f"{op.name} cannot be traced ({type(error).__name__}: {error})")

    def _record(
        self, op: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any], output: Any
    ) -> None:
        if op is untraceable:
            raise _Untraceable(attributes["why"])
        if op.name in _DRAWN_BY_NUMBERS:
            raise _Untraceable("numbers of a tensor decide how random ones are drawn")
        if op is index and _has_mask(attributes["key"]):
            why = "how many numbers a mask takes decides of which shape a tensor is"
            raise _Untraceable(f"{why}: use torch.where")
        if op is from_outside:
            raise _Untraceable("an array of NumPy's may change unseen: pass a tensor as argument")
        if op is item:
            raise _Untraceable(
                "the value of a tensor is read by Python here (.item(), .tolist(), .numpy(), "
                "print() or a branch): return the tensor, or use torch.where"
            )
        if op is constant:
            array = output._array
            self._bind(array, Constant(array.shape, array.dtype, array=array.copy()))
        elif "fill" in attributes:
            if attributes["fill"].keywords.get("generator") is not None:
                raise _Untraceable("random numbers come from a generator of their own")
            array = output._array
            drawn = Draw(array.shape, array.dtype, attributes=attributes)
            self.draws.append(drawn)
            self._assign(output, drawn)
        elif op is index_put and output is inputs[0]:
            self._write(output, inputs[1], **attributes)
        else:
            values = self._operands(op, inputs)
            self._know_saved(output, values)
            plain = {name: self._attribute(given) for name, given in attributes.items()}
            if op.name in _LABELLED and (_array_of(inputs[1]) == plain["ignore_index"]).any():
                plain[IGNORES] = True
            array = output._array
            self._bind(array, self._emit(op.name, values, plain, array))
            if output._record is not None:
                self._made[output._record] = len(self.instructions) - 1
            if output._view is not None:
                self._views[id(array)] = (inputs[0], op, plain)

    def _attribute(self, given: Any) -> Any:
        if isinstance(given, np.ndarray):
            return self._read_array(given)
        if isinstance(given, tuple | list):
            return tuple([self._attribute(part) for part in given])
        return given

    def _write(self, target: Any, value: Any, region: Any, arrays: Any) -> None:
        array = target._array
        self._note_phase()
        if self._phase != "backward":  # there a leaf's first gradient is met as it is written
            self._read(target)
        new = self._read(value)
        if isinstance(new, Number):
            new = self._cast(new, array.dtype)
        if region == (Ellipsis,) and arrays is None:
            if new.shape != array.shape or isinstance(new, Number):
                new = self._emit("full", (new,), {}, array)
            elif new.dtype != array.dtype:
                new = self._emit("cast", (new,), {"dtype": array.dtype}, array)
        else:
            plain = {"region": region, "arrays": self._attribute(arrays)}
            new = self._emit("index_put", (self._read(target), new), plain, array)
        self._assign(target, new)

    def _assign(self, target: Any, value: Value) -> None:
        """Give the array of `target` a new value; views of it follow when they are read again."""
        if id(target._array) in self._views:
            base, op, attributes = self._views[id(target._array)]
            self._assign(base, self._put_back(base._array, value, op.name, attributes))
            return
        self.value_of(target._array)  # what is from outside is given, and written to at the end
        self._bind(target._array, value)
        for view, (base, _, _) in self._views.items():
            root = base if base._view is None else base._view[0]
            if root._array is target._array:
                self._stale.add(view)

    def _put_back(self, base: Array, value: Value, op: str, attributes: dict[str, Any]) -> Value:
        """What a tensor becomes when a view of it takes this value."""
        if op == "slice":
            operands = (self._read_array(base), value)
            region = {"region": attributes["key"], "arrays": None}
            return self._emit("index_put", operands, region, base)
        if op == "reshape":
            return self._emit("reshape", (value,), {"shape": base.shape}, base)
        if op == "permute":
            dims = {"dims": tuple(np.argsort(attributes["dims"]).tolist())}
            return self._emit("permute", (value,), dims, base)
        if value.shape == base.shape:
            return value
        why = f"a view made by {op} is changed in place: change the tensor it was taken from"
        raise _Untraceable(why)
