"""An operation as PyTorch's calls need it: types promoted, errors explained, hot paths taken.

How an operation is written, `core.primitive` says; its formulas are read there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.primitive import Formula
from tinygrad_mnist.core.primitive import Primitive as CorePrimitive
from tinygrad_mnist.core.record import Array, state

from .calls import (
    call,
    call_binary,
    call_unary,
    explain_shapes,
    not_a_tensor,
    read_arguments,
    refuse_size,
)
from .documentation import Documentation
from .node import PRIMITIVES, Record
from .out import WITHOUT, into
from .saved_names import family
from .tensor import Tensor, TensorBase

Body = Callable[..., Any]
Promotion = Callable[[tuple[Any, ...]], dtypes.dtype]

_ndarray = np.ndarray
_ARRAYS = frozenset((np.ndarray, np.bool_, np.uint8, np.int32, np.int64, np.float32, np.float64))
_VARIADIC = 0x04
"""The flag of code with *args. (The module inspect reads signatures, but is slow to import.)"""


def no_derivative(name: str) -> Any:
    """The formula of an input for which PyTorch has none: a RuntimeError where "aten::" begins."""

    def formula(g: Any) -> Any:
        """none: PyTorch has no formula for it."""
        if name.startswith("aten::"):
            raise RuntimeError(f"derivative for {name} is not implemented")
        raise NotImplementedError(f"the derivative for '{name}' is not implemented.")

    formula.__name__ = no_derivative.__name__
    return formula


class SavePlan(dict[tuple[bool, ...], tuple[bool, ...]]):
    """What `Primitive.saved_for` found, kept."""

    def __init__(self, primitive: CorePrimitive) -> None:
        super().__init__()
        self.primitive = primitive

    def __missing__(self, needs: tuple[bool, ...]) -> tuple[bool, ...]:
        self[needs] = self.primitive.saved_for(needs)
        return self[needs]


class AsTheyAre(dict[Any, bool]):
    """Whether two arrays of a type, or a number of some class and one, are computed in that type.

    `promotion` is asked once for each.
    """

    def __init__(self, promotion: Promotion | None) -> None:
        super().__init__()
        self.promotion = promotion

    def __missing__(self, key: Any) -> bool:
        number, kind = key if key.__class__ is tuple else (None, key)
        array = np.empty(1, kind)
        first = array if number is None else number()
        try:
            self[key] = self.promotion is None or self.promotion((first, array)).numpy == kind
        except (NotImplementedError, RuntimeError, TypeError):  # it refuses them
            self[key] = False
        return self[key]


class Primitive(CorePrimitive):
    """An operation: its body, its inputs, its derivative formulas; of any number of inputs, too."""

    says: str | None
    """The formula in words; `__doc__` is the whole documentation, made when asked for."""

    def __init__(
        self,
        body: Body,
        promotion: Promotion | None = None,
        ufunc: Body | None = None,
        grad_fn: str | None = None,
        reduces: bool = False,
        view: bool = False,
    ) -> None:
        """Keyword-only parameters of `body` are attributes, the others inputs.

        `promotion` gives the type to compute in for all inputs (None: inputs stay as they are).
        `ufunc` is NumPy's own function for the body, run instead of it where types need no care.
        `grad_fn` is PyTorch's name for the record; the names of other nodes that keep the same may
        follow. `reduces`: `dim` and `keepdim` describe a reduction; `view`: the result shares
        memory.
        """
        super().__init__(body, reduces)
        self.__name__ = self.name
        self.promotion = promotion
        self.as_they_are = AsTheyAre(promotion)
        self.ufunc = ufunc
        self.run = body if ufunc is None else ufunc
        self.view = view
        title = self.name.title().replace("_", "") + "Backward0" if grad_fn is None else grad_fn
        self.nodes = frozenset([family(node) for node in title.split()])
        self.record_type = Record.named(title.split()[0])
        code = body.__code__
        named = code.co_argcount + code.co_kwonlyargcount
        self.variadic = bool(code.co_flags & _VARIADIC)
        if self.variadic:
            self.inputs = code.co_varnames[named:][:1]
        self.attributes = frozenset(code.co_varnames[code.co_argcount : named])
        self.by_position: tuple[Formula | None, ...] = (None,) * len(self.inputs)
        """The formula of each input; of all of them, where their number is open."""
        self.saves = SavePlan(self)
        self.saves_for_one: tuple[bool, ...] = (False, False)
        self.saves_for_both: tuple[bool, ...] = (False, False, False)
        self.vjp: Callable[[Any, Any], list[Any]] | None = None
        """Where formulas do not do: the gradients of all inputs at once."""
        PRIMITIVES[self.name] = self

    def derivatives(self, **formulas: Callable[..., Any]) -> None:
        """Give for each differentiable input, by name, the formula of its derivative."""
        unknown = formulas.keys() - set(self.inputs)
        if unknown:
            raise TypeError(f"{self.name} has no input named {', '.join(sorted(unknown))}")
        super().derivatives(**formulas)
        self.by_position = tuple([self.formulas.get(name) for name in self.inputs])
        if len(self.inputs) == 1:
            self.saves_for_one = self.saves[True,]
        elif len(self.inputs) == 2:
            self.saves_for_both = self.saves[True, True]

    def formula(self, position: int) -> Formula | None:
        """The formula for the input at `position`, None when it is not differentiable."""
        return self.by_position[0 if self.variadic else position]

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """The public name, which pickles and copies hold: an operation is one object."""
        import pkgutil

        package = __name__.partition(".")[0]
        if getattr(sys.modules[package], self.name, None) is self.public:
            return pkgutil.resolve_name, (f"{package}:{self.name}",)
        return super().__reduce__()

    @property
    def public(self) -> Primitive:
        """The operation as its users call it: of Tensors, and numbers beside them, no arrays."""
        made: Primitive | None = vars(self).get("_public")
        if made is None:
            made = vars(self)["_public"] = OfTensors(self)
        return made

    @property
    def __signature__(self) -> Any:
        """What `inspect.signature` tells: a tensor, then tensors or numbers; keyword attributes."""
        from inspect import Parameter, Signature

        kinds = ["Tensor", *["Tensor | float"] * (len(self.inputs) - 1)]
        inputs = [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=kind)
            for name, kind in zip(self.inputs, kinds, strict=True)
        ]
        named = [Parameter(name, Parameter.KEYWORD_ONLY) for name in sorted(self.attributes)]
        return Signature(inputs + named, return_annotation="Tensor")

    @overload
    def __call__(self, first: Tensor, *inputs: Any, **attributes: Any) -> Tensor: ...
    @overload
    def __call__(self, *inputs: Any, **attributes: Any) -> Any: ...
    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """The result on `inputs`: a Tensor if one of them is, else an array.

        Inputs may be given by name. Raises TypeError for one missing, unknown or too many.
        """
        if inputs and inputs[0].__class__ in _ARRAYS and not isinstance(inputs[-1], TensorBase):
            out = self.run(*inputs, **attributes)
            return out if out.__class__ is _ndarray else np.asarray(out)
        if len(inputs) != len(self.inputs) or not attributes.keys() <= self.attributes:
            if self.name not in WITHOUT and (out := attributes.pop("out", None)) is not None:
                given = (*inputs, *attributes.values())
                return into(self.name, out, given, lambda: self(*inputs, **attributes))
            inputs, attributes = read_arguments(self, inputs, attributes)
        if len(inputs) == 1:
            return call_unary(self, inputs[0], attributes)
        if len(inputs) == 2:
            return call_binary(self, inputs[0], inputs[1], attributes)
        return call(self, inputs, attributes)

    def promoted(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs cast to the one type that the body computes in."""
        if self.promotion is None:
            return values
        kind = self.promotion(values)
        return tuple(dtypes.cast(value, kind) for value in values)

    def compute(self, values: tuple[Any, ...], attributes: dict[str, Any]) -> Array:
        """The body's result on arrays, always an array (NumPy makes 0-d results scalars)."""
        narrow = None
        if dtypes.NARROW and not self.view:
            values, narrow = dtypes.widened(values)
        try:
            out = state.quietly(self.body, *values, **attributes)
        except (MemoryError, ValueError) as error:
            explain_shapes(values)
            refuse_size(self, error)
            raise RuntimeError(f"{self.name}(): {error}") from error
        if narrow is not None and "dtype" not in attributes:
            out = dtypes.narrowed(out, narrow)
        return out if out.__class__ is _ndarray else np.asarray(out)


class OfTensors(Primitive):
    """A primitive as users call it: arrays are for its formulas and bodies alone."""

    of: Primitive

    def __init__(self, of: Primitive) -> None:
        vars(self).update(vars(of), of=of, _public=self)

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """The result on Tensors; TypeError for an array, or where there is no Tensor."""
        known = not attributes or attributes.keys() <= self.attributes
        if known and len(inputs) == len(self.inputs) and isinstance(inputs[0], TensorBase):
            if len(inputs) == 1:
                return call_unary(self.of, inputs[0], attributes)
            if len(inputs) == 2 and inputs[1].__class__ is not _ndarray:
                return call_binary(self.of, inputs[0], inputs[1], attributes)
        given = [*inputs, *[attributes[name] for name in self.inputs if name in attributes]]
        for position, each in enumerate(given):
            alone = len(self.inputs) == 1 and not isinstance(each, TensorBase)
            if alone or each.__class__ is _ndarray:
                raise not_a_tensor(self, position, each)
        numbers = [each.item() if isinstance(each, np.generic) else each for each in inputs]
        return self.of(*numbers, **attributes)


for _class in (Primitive, OfTensors):
    _class.__doc__ = Documentation(_class.__doc__)  # type: ignore[assignment]


@overload
def primitive(body: Body, **options: Any) -> Primitive: ...
@overload
def primitive(body: None = None, **options: Any) -> Callable[[Body], Primitive]: ...
def primitive(body: Body | None = None, **options: Any) -> Any:
    """Make a primitive of a function on arrays; the options are those of `Primitive`.

    Raises TypeError where another primitive has its name: programs find them by it.
    """
    if body is None:
        return lambda body: primitive(body, **options)
    if (name := body.__name__.strip("_")) in PRIMITIVES:
        raise TypeError(f"there is a primitive {name} already")
    return Primitive(body, **options)
