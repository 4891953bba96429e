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

import inspect
import itertools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.record import (
    CONSTANT,
    NO_ATTRIBUTES,
    OBSERVERS,
    TENSOR_TYPE,
    Record,
    Saved,
    TensorBase,
    current_record,
    make_record,
    next_birth,
    state,
    wrap,
)

Array = np.ndarray[Any, Any]
Body = Callable[..., Any]
_UNARY = (True,)
Promotion = Callable[[dtypes.dtype], dtypes.dtype]

_new = object.__new__
_ndarray = np.ndarray
_ARRAYS = (np.ndarray, np.generic)
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


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
        self.name = self.__name__ = body.__name__.strip("_")
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
        self.attributes = frozenset([p.name for p in parameters if p.kind is p.KEYWORD_ONLY])
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
        """The result on `inputs`: a Tensor if one of them is, else an array.

        Inputs may be given by name. Raises TypeError for one missing, unknown or too many.
        """
        if len(inputs) != len(self.inputs) or not attributes.keys() <= self.attributes:
            inputs, attributes = self._arguments(inputs, attributes)
        if isinstance(inputs[0], _ARRAYS) and not isinstance(inputs[-1], TensorBase):
            out = self.run(*inputs, **attributes)
            return out if out.__class__ is _ndarray else np.asarray(out)
        if len(inputs) == 1:
            return call_unary(self, inputs[0], attributes)
        if len(inputs) == 2:
            return call_binary(self, inputs[0], inputs[1], attributes)
        return call(self, inputs, attributes)

    def _arguments(
        self, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Inputs and attributes told apart, where inputs were given by name."""
        if self.variadic:
            return inputs, attributes
        if len(inputs) > len(self.inputs):
            raise TypeError(
                f"{self.name}() takes {len(self.inputs)} positional "
                f"argument{'s' * (len(self.inputs) > 1)} but {len(inputs)} were given"
            )
        if attributes.pop("out", None) is not None:
            raise NotImplementedError(
                f"{self.name}(out=) is not supported: assign the result, or copy it with out.copy_"
            )
        named = self.inputs[len(inputs) :]
        missing = [f'"{name}"' for name in named if name not in attributes]
        if missing:
            raise TypeError(
                f"{self.name}() missing {len(missing)} required positional arguments: "
                f"{', '.join(missing)}"
            )
        inputs += tuple([attributes.pop(name) for name in named])
        for name in attributes.keys() - self.attributes:
            raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'")
        return inputs, attributes

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
        counter = given._counter if isinstance(given, TensorBase) else CONSTANT
        saved.append((value, counter, counter[0]) if keep else None)
    saved.append((output._array, output._counter, output._counter[0]) if keep_output else None)
    output._record = make_record(op, edges, output._array, tuple(saved), attributes)


def call(op: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """Call `op` on any number of inputs: the general way, which the next two write out."""
    values = _arrays(op, inputs)
    tensor = _output(op, op.compute(values, attributes), inputs[0])
    if state.grad_enabled:
        record_call(op, inputs, values, tensor, attributes)
    if OBSERVERS and (observer := OBSERVERS.get(threading.get_ident())) is not None:
        observer(op, inputs, attributes, tensor)
    return tensor


def call_unary(op: Primitive, x: Any, attributes: dict[str, Any] = NO_ATTRIBUTES) -> Any:
    """`call` for one Tensor, written out: a hot path."""
    if not isinstance(x, TensorBase) or OBSERVERS:
        return call(op, (x,), attributes)
    value = x._array
    if op.promotion is not None and value.dtype.kind != "f":
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
        tensor._record = make_record(op, (record,), out, saved, attributes)
    return tensor


def call_binary(op: Primitive, x: Any, y: Any, attributes: dict[str, Any] = NO_ATTRIBUTES) -> Any:
    """`call` for two Tensors of one floating type, or one and a Python number: a hot path."""
    if not isinstance(x, TensorBase) or attributes or OBSERVERS:
        return call(op, (x, y), attributes)
    x_value, x_counter = x._array, x._counter
    x_record = x._record if x._view is None else current_record(x)
    kind = x_value.dtype
    if isinstance(y, TensorBase):
        y_value, y_counter = y._array, y._counter
        y_record = y._record if y._view is None else current_record(y)
        usual = kind is y_value.dtype and (kind is _FLOAT32 or kind is _FLOAT64)
    else:
        y_value, y_counter, y_record = y, CONSTANT, None
        usual = (y.__class__ is float or y.__class__ is int) and kind.kind == "f"
    if not usual:
        return call(op, (x, y), attributes)
    thread = state.__dict__
    try:
        out = thread["quietly"](op.run, x_value, y_value)
    except ValueError:
        return call(op, (x, y), attributes)
    if out.__class__ is not _ndarray:
        out = np.asarray(out)
    tensor = _new(TENSOR_TYPE[0])
    tensor._array = out
    tensor._record = None
    tensor._counter = counter = [0]
    tensor._view = None
    if (x_record is None and y_record is None) or not op.formulas or not thread["grad_enabled"]:
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
    record.birth = next_birth()
    record.watch = None
    return tensor
