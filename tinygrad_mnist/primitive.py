"""An operation, the record it leaves, and calling it.

An operation is written once: a body that computes on NumPy arrays, and for each input a formula
of its derivative.

    @primitive
    def mul(x, y):
        "x · y"
        return x * y

    mul.derivatives(x=lambda g, y: g * y, y=lambda g, x: g * x)

`g` is the gradient that arrives from above. The other parameters of a formula say what it needs:
an input by its name, the result as `out`, an attribute by its name, or `shape`, the shape of the
input whose gradient it computes. Only that is saved. Shapes and types are not a formula's
business: whoever walks backward sums what was broadcast and stretches what was reduced.

Calling a primitive with a Tensor among its inputs gives a Tensor and, where a gradient may be
asked for later, leaves a `Record`. Calling it with arrays gives an array: so the same formula
runs on arrays (fast) and on Tensors (and is then recorded itself).
"""

from __future__ import annotations

import contextvars
import inspect
import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tinygrad_mnist import dtypes

Array = np.ndarray[Any, Any]
Body = Callable[..., Any]
_NO_ATTRIBUTES: dict[str, Any] = {}
_UNARY = (True,)
Promotion = Callable[[dtypes.dtype], dtypes.dtype]

_next_birth = itertools.count().__next__
_new = object.__new__
_ndarray = np.ndarray
_FLOATING = frozenset((np.dtype(np.float32), np.dtype(np.float64)))


class ThreadState(threading.local):
    """What each thread has of its own: its gradient mode, and a context for silent arithmetic."""

    quietly: Callable[..., Any]
    """`quietly(f, ...)` calls f with NumPy's floating-point warnings off, as PyTorch is."""

    def __init__(self) -> None:
        self.grad_enabled = True
        context = contextvars.Context()
        context.run(np.seterr, all="ignore")
        self.quietly = context.run


state = ThreadState()


class TensorBase:
    """What the engine knows of a Tensor: an array, its record and its version."""

    __slots__ = ("_array", "_counter", "_record", "_view", "__weakref__")

    _array: Array
    _record: Record | None
    """Where gradients for this tensor go; None when it does not require one."""
    _counter: list[int]
    """One number, raised by every in-place change and shared by all who share the memory."""
    _view: tuple[TensorBase, Record | None] | None
    """For a view: the tensor it was taken from, and that tensor's record at the time."""


_tensor_type: type[TensorBase] = TensorBase


def use_tensor_type(tensor_type: type[TensorBase]) -> None:
    """Make `tensor_type` the class of every tensor that operations return."""
    global _tensor_type
    _tensor_type = tensor_type


def wrap(array: Array, counter: list[int] | None = None) -> Any:
    """A Tensor that holds `array` itself and requires no gradient."""
    tensor = _new(_tensor_type)
    tensor._array = array
    tensor._record = None
    tensor._counter = [0] if counter is None else counter
    tensor._view = None
    return tensor


Saved = tuple[Any, list[int], int]
"""A value kept for a formula: itself, its version counter, and the version when it was kept."""

_CONSTANT = [0]


class Watch:
    """What somebody asked of a record: hooks to call with its gradient, or to keep it."""

    __slots__ = ("grad", "hooks", "post_hooks", "retains_grad")

    def __init__(self) -> None:
        self.hooks: dict[int, Callable[[Any], Any]] = {}
        self.post_hooks: dict[int, Callable[[Any], None]] = {}
        self.retains_grad = False
        self.grad: Any = None


class Record:
    """What one call of a primitive leaves behind: data, no closures.

    Records point to the records of their inputs, never to Tensors, so that memory goes as soon as
    nobody needs it. Each primitive has a subclass, named as PyTorch names it (`MulBackward0`).
    Nothing is older than its own inputs: descending order of `birth` is an order for the walk.
    """

    __slots__ = (
        "primitive", "attributes", "edges", "shape", "dtype", "saved", "birth", "watch",
        "__weakref__",
    )  # fmt: skip

    primitive: Primitive | None
    attributes: dict[str, Any]
    edges: tuple[Record | None, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    saved: tuple[Saved | None, ...]
    birth: int
    watch: Watch | None
    subclasses: ClassVar[dict[str, type[Record]]] = {}

    @classmethod
    def named(cls, name: str) -> type[Record]:
        """The subclass called `name`, made on first use."""
        if name not in cls.subclasses:
            cls.subclasses[name] = type(name, (Record,), {"__slots__": ()})
        return cls.subclasses[name]

    def name(self) -> str:
        """The operation's name as PyTorch spells it, for example "MulBackward0"."""
        return type(self).__name__

    def watched(self) -> Watch:
        """What was asked of this record, to be added to."""
        if self.watch is None:
            self.watch = Watch()
        return self.watch

    @property
    def grad(self) -> Any:
        """The gradient that was kept, if any."""
        return None if self.watch is None else self.watch.grad

    @grad.setter
    def grad(self, gradient: Any) -> None:
        self.watched().grad = gradient

    @property
    def next_functions(self) -> tuple[tuple[Record | None, int], ...]:
        """The records of the inputs, each with the number of the output it stands for (0)."""
        return tuple((edge, 0) for edge in self.edges)


class AccumulateGrad(Record):
    """The record of a leaf: the end of a path, where `.grad` gathers."""

    __slots__ = ("_variable",)

    def __init__(self, tensor: TensorBase) -> None:
        self.primitive = None
        self.attributes = _NO_ATTRIBUTES
        self.edges = ()
        self.saved = ()
        self.shape = tensor._array.shape
        self.dtype = tensor._array.dtype
        self.birth = _next_birth()
        self.watch = Watch()
        self._variable = weakref.ref(tensor)

    @property
    def variable(self) -> Any:
        """The leaf tensor, None when it is gone."""
        return self._variable()


def current_record(tensor: TensorBase) -> Record | None:
    """The tensor's record; a view follows when an in-place operation gave its base a newer one."""
    if tensor._view is None:
        return tensor._record
    base, seen = tensor._view
    base_record = current_record(base)
    if base_record is not seen:
        old = tensor._record
        if old is None or base_record is None:
            raise NotImplementedError(
                "this tensor is a view of a tensor that was changed in place by an operation "
                "autograd records; take the view again after the change"
            )
        assert old.primitive is not None
        tensor._record = _record(old.primitive, (base_record,), tensor._array, old.saved,
                                 old.attributes)  # fmt: skip
        tensor._record.__class__ = type(old)
        tensor._view = (base, base_record)
    return tensor._record


def _record(
    op: Primitive,
    edges: tuple[Record | None, ...],
    out: Array,
    saved: tuple[Saved | None, ...],
    attributes: dict[str, Any],
) -> Record:
    record: Record = _new(op.record_type)
    record.primitive = op
    record.edges = edges
    record.shape = out.shape
    record.dtype = out.dtype
    record.saved = saved
    record.attributes = attributes
    record.birth = _next_birth()
    record.watch = None
    return record


def label(tensor: Any, name: str) -> Any:
    """Name the record that an operation just left in `tensor`, as PyTorch names it; the tensor."""
    record = tensor._record
    if record is not None:
        record.__class__ = Record.named(name)
    return tensor


def bare_record(
    op: Primitive,
    edges: tuple[Record | None, ...],
    out: Array,
    attributes: dict[str, Any],
    record_type: type[Record],
) -> Record:
    """A record of the class given that has saved nothing."""
    record = _record(op, edges, out, (), attributes)
    record.__class__ = record_type
    return record


class Formula(NamedTuple):
    """A derivative formula and what it asks for, in the order in which it asks."""

    function: Callable[..., Any]
    saved: tuple[int, ...]
    """Positions in `Record.saved`: the inputs in order, then the result."""
    attributes: tuple[str, ...]
    wants_shape: bool
    wants_position: bool
    plain: bool
    """Whether it asks for saved values only."""




class SavePlan(dict[tuple[bool, ...], tuple[bool, ...]]):
    """Which inputs, and at last the result, a primitive keeps, by whose gradients are needed."""

    def __init__(self, primitive: Primitive) -> None:
        super().__init__()
        self.primitive = primitive

    def __missing__(self, needs: tuple[bool, ...]) -> tuple[bool, ...]:
        wanted: set[int] = set()
        for position, need in enumerate(needs):
            formula = self.primitive.formula(position)
            if need and formula is not None:
                wanted.update(formula.saved)
        self[needs] = tuple(i in wanted for i in range(len(needs) + 1))
        return self[needs]


PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by its name."""


class Primitive:
    """An operation: its body, its inputs, its derivative formulas."""

    def __init__(
        self,
        body: Body,
        promotion: Promotion | None,
        ufunc: Body | None,
        grad_fn: str | None,
        reduces: bool,
        view: bool,
    ) -> None:
        self.name = body.__name__.strip("_")
        self.__doc__ = body.__doc__
        self.body = body
        self.promotion = promotion
        self.ufunc = ufunc
        self.run = body if ufunc is None else ufunc
        self.reduces = reduces
        self.view = view
        title = self.name.title().replace("_", "") + "Backward0" if grad_fn is None else grad_fn
        self.record_type = Record.named(title)
        parameters = inspect.signature(body).parameters.values()
        self.inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.formulas: dict[str, Formula] = {}
        self._by_position: tuple[Formula | None, ...] = (None,) * len(self.inputs)
        self.saves = SavePlan(self)
        self.sends: Callable[[Record, Any], list[Any]] | None = None
        """Where formulas do not do: the gradients for all edges at once."""
        PRIMITIVES[self.name] = self

    def derivatives(self, **formulas: Callable[..., Any]) -> None:
        """Give for each differentiable input, by name, the formula of its derivative."""
        unknown = formulas.keys() - set(self.inputs)
        if unknown:
            raise TypeError(f"{self.name} has no input named {', '.join(sorted(unknown))}")
        self.formulas = {name: self._read(formula) for name, formula in formulas.items()}
        self._by_position = tuple([self.formulas.get(name) for name in self.inputs])

    def _read(self, function: Callable[..., Any]) -> Formula:
        wanted = list(inspect.signature(function).parameters)[1:]
        values = () if self.variadic else (*self.inputs, "out")
        saved = tuple(values.index(name) for name in wanted if name in values)
        rest = wanted[len(saved) :]
        attributes = tuple(name for name in rest if name not in ("shape", "position"))
        return Formula(function, saved, attributes, "shape" in rest, "position" in rest, not rest)

    def formula(self, position: int) -> Formula | None:
        """The formula for the input at `position`, None when it is not differentiable."""
        return self._by_position[0 if self.variadic else position]

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """The result on `inputs`: a Tensor if one of them is, else an array."""
        if inputs[0].__class__ is _ndarray and not isinstance(inputs[-1], TensorBase):
            out = self.run(*inputs, **attributes)
            return out if out.__class__ is _ndarray else np.asarray(out)
        if len(inputs) == 1:
            return call_unary(self, inputs[0], attributes)
        if len(inputs) == 2:
            return call_binary(self, inputs[0], inputs[1], attributes)
        return call(self, inputs, attributes)

    def promoted(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs cast to the one type that the body computes in."""
        if self.promotion is None:
            return values
        kind = self.promotion(dtypes.promote(values))
        return tuple(dtypes.cast(value, kind) for value in values)

    def compute(self, values: tuple[Any, ...], attributes: dict[str, Any]) -> Array:
        """The body's result on arrays, always an array (NumPy makes 0-d results scalars)."""
        try:
            out = state.quietly(self.run, *values, **attributes)
        except ValueError as error:
            _explain_shapes(values)
            raise RuntimeError(f"{self.name}(): {error}") from error
        return out if out.__class__ is _ndarray else np.asarray(out)


def primitive(
    body: Body | None = None,
    *,
    promotion: Promotion | None = None,
    ufunc: Body | None = None,
    grad_fn: str | None = None,
    reduces: bool = False,
    view: bool = False,
) -> Any:
    """Make a primitive of a function on arrays; keyword-only parameters are its attributes.

    `promotion` maps the inputs' common type to the type to compute in (None: leave inputs as they
    are). `ufunc` is NumPy's own function for the body: run in its place, and with `out=` in place. `grad_fn` is
    PyTorch's name for the record where it is not the primitive's own. `reduces` says that the
    attributes `dim` and `keepdim` describe a reduction; `view` that the result shares memory.
    """
    if body is None:
        return lambda b: Primitive(b, promotion, ufunc, grad_fn, reduces, view)
    return Primitive(body, promotion, ufunc, grad_fn, reduces, view)


def _explain_shapes(values: tuple[Any, ...]) -> None:
    """Raise PyTorch's error if `values` do not broadcast."""
    shapes = [value.shape for value in values if isinstance(value, _ndarray)]
    for a, b in itertools.pairwise(shapes):
        for back in range(1, min(len(a), len(b)) + 1):
            if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
                raise RuntimeError(
                    f"The size of tensor a ({a[-back]}) must match the size of tensor b "
                    f"({b[-back]}) at non-singleton dimension {max(len(a), len(b)) - back}"
                )


def _arrays(op: Primitive, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the body gets for `inputs`: the arrays of Tensors, Python numbers, one common type."""
    values = []
    for position, given in enumerate(inputs):
        if isinstance(given, TensorBase):
            values.append(given._array)
        elif isinstance(given, np.generic):
            values.append(given.item())
        elif isinstance(given, bool | int | float | _ndarray) or given is None:
            values.append(given)
        else:
            raise TypeError(
                f"{op.name}(): argument '{op.inputs[position]}' (position {position + 1}) "
                f"must be Tensor, not {type(given).__name__}"
            )
    return op.promoted(tuple(values))


def _output(op: Primitive, out: Array, first: Any) -> Any:
    """The Tensor for a result; that of a view shares the version of the tensor it was taken from."""
    tensor = wrap(out)
    if op.view:
        base, memory = first._array, out.base
        if memory is base or (memory is not None and memory is base.base) or out is base:
            tensor._counter = first._counter
            tensor._view = (first, current_record(first))
    return tensor


def record_call(
    op: Primitive,
    inputs: tuple[Any, ...],
    values: tuple[Any, ...],
    output: TensorBase,
    attributes: dict[str, Any],
) -> None:
    """Leave a record of this call in `output` if an input requires a gradient."""
    edges = tuple([current_record(i) if isinstance(i, TensorBase) else None for i in inputs])
    needs = tuple([edge is not None for edge in edges])
    if not any(needs) or not op.formulas or output._array.dtype.kind != "f":
        return
    *keeps, keep_output = op.saves[needs]
    saved: list[Saved | None] = []
    for given, value, keep in zip(inputs, values, keeps, strict=True):
        counter = given._counter if isinstance(given, TensorBase) else _CONSTANT
        saved.append((value, counter, counter[0]) if keep else None)
    saved.append((output._array, output._counter, output._counter[0]) if keep_output else None)
    output._record = _record(op, edges, output._array, tuple(saved), attributes)


def call(op: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """Call `op` on any number of inputs: the general way, which the next two write out."""
    values = _arrays(op, inputs)
    out = op.compute(values, attributes)
    if not any([isinstance(given, TensorBase) for given in inputs]):
        return out
    tensor = _output(op, out, inputs[0])
    if state.grad_enabled:
        record_call(op, inputs, values, tensor, attributes)
    return tensor


def call_unary(op: Primitive, x: Any, attributes: dict[str, Any] = _NO_ATTRIBUTES) -> Any:
    """`call` for one Tensor, written out: a hot path."""
    if not isinstance(x, TensorBase):
        return call(op, (x,), attributes)
    value = x._array
    if op.promotion is not None and value.dtype not in _FLOATING:
        (value,) = op.promoted((value,))
    if attributes:
        out = state.quietly(op.run, value, **attributes)
    else:
        out = state.quietly(op.run, value)
    if out.__class__ is not _ndarray:
        out = np.asarray(out)
    tensor = _output(op, out, x) if op.view else wrap(out)
    record = x._record if x._view is None else current_record(x)
    if record is not None and op.formulas and state.grad_enabled:
        keep_x, keep_out = op.saves[_UNARY]
        counter = x._counter
        saved = (
            (value, counter, counter[0]) if keep_x else None,
            (out, tensor._counter, tensor._counter[0]) if keep_out else None,
        )
        tensor._record = _record(op, (record,), out, saved, attributes)
    return tensor


def call_binary(op: Primitive, x: Any, y: Any, attributes: dict[str, Any] = _NO_ATTRIBUTES) -> Any:
    """`call` for two Tensors of one floating type, or one and a Python number: a hot path."""
    if isinstance(x, TensorBase):
        x_value = x._array
        kind = x_value.dtype
        x_counter = x._counter
        x_record = x._record if x._view is None else current_record(x)
        if isinstance(y, TensorBase):
            y_value = y._array
            y_counter = y._counter
            y_record = y._record if y._view is None else current_record(y)
            usual = kind is y_value.dtype and kind in _FLOATING
        else:
            y_value, y_counter, y_record = y, _CONSTANT, None
            usual = (y.__class__ is float or y.__class__ is int) and kind in _FLOATING
        if usual and not attributes:
            thread = state
            try:
                out = thread.quietly(op.run, x_value, y_value)
            except ValueError:
                return call(op, (x, y), attributes)
            if out.__class__ is not _ndarray:
                out = np.asarray(out)
            tensor = _new(_tensor_type)
            tensor._array = out
            tensor._view = None
            tensor._counter = counter = [0]
            if (x_record is None and y_record is None) or not thread.grad_enabled:
                tensor._record = None
                return tensor
            keep_x, keep_y, keep_out = op.saves[x_record is not None, y_record is not None]
            tensor._record = record = _new(op.record_type)
            record.primitive = op
            record.edges = (x_record, y_record)
            record.shape = out.shape
            record.dtype = kind
            record.saved = (
                (x_value, x_counter, x_counter[0]) if keep_x else None,
                (y_value, y_counter, y_counter[0]) if keep_y else None,
                (out, counter, 0) if keep_out else None,
            )
            record.attributes = attributes
            record.birth = _next_birth()
            record.watch = None
            if not op.formulas:
                tensor._record = None
            return tensor
    return call(op, (x, y), attributes)
