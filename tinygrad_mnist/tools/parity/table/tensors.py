"""Making, filling and asking tensors: creation, random numbers, in place, what a tensor says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import (
    SITUATIONS,
    Inputs,
    Maker,
    Sample,
    Shape,
    filled,
    parametrized,
    sample,
)
from tinygrad_mnist.tools.parity.twins import Given

from .families import MATRIX, THREE, TWO, binary, shaped, unary
from .operation import Operation, find, rows

# Operations that a program defines itself


@functools.cache
def _product(engine: Any) -> Any:
    """x · y, with formulas of its own."""

    class Product(engine.autograd.Function):  # type: ignore[misc]
        """x · y"""

        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            return g * y, g * x

    return Product


_FUNCTION = Operation(
    "autograd.Function", binary(), lambda t, x, y: _product(t).apply(x, y),
    primitives="never_computed", errors=(sample(TWO, THREE),),
    situations=("ordinary", "float64", "scalar", "empty", "single", "transposed", "gaps", "offset",
                "expanded", "halves", "special"),
)  # fmt: skip


# Operations that write their result into their first tensor


def _copied(make: Maker) -> Sample:
    shape, other = make.shapes(2)
    return make.sample(make.array(shape), make.array(other))


def _through_a_view(engine: Any, x: Any, number: float) -> Any:
    """A tensor of which a view was changed in place, and what is computed from that view."""
    changed = x.clone()
    view = changed.unsqueeze(0)[..., :1]
    view.mul_(number)
    return changed, view * 2


_simple = partial(Operation, primitives="")
_simple_rows = partial(rows, primitives="")

_IN_PLACE = [
    *_simple_rows("Tensor.zero_ Tensor.detach_", unary()),
    _simple("Tensor.fill_", lambda make: make.sample(make.array(), make.choice(0.5, 2, -1, True)),
            errors=(sample(TWO, TWO), sample(TWO, "text"))),
    _simple("Tensor.copy_", _copied, errors=(sample(TWO, THREE), sample(TWO, "text"))),
    Operation("Tensor.mul_ through a view", lambda make: make.sample(
        make.array(dtype=make.floating()), make.choice(3.0, -0.5)), _through_a_view, public=False,
              primitives="copy_slices as_strided as_strided_backward",
              errors=(sample(MATRIX, "text"),)),
    _simple("Tensor.squeeze_", lambda make: make.sample(make.array((1, 2)))),
    _simple("Tensor.unsqueeze_", shaped(0, 3, 0), errors=(sample(MATRIX, 5),)),
    *_simple_rows("Tensor.transpose_ Tensor.swapaxes_ Tensor.swapdims_", shaped(2, 3, 0, 1),
                  errors=(sample(MATRIX, 0, 5),)),
    _simple("Tensor.t_", shaped(0, 2)),
]  # fmt: skip


# Making tensors that are filled by a rule


def _sized(make: Maker) -> Sample:
    shape = make.shape()
    return make.sample(*shape) if make.flag() and shape else make.sample(shape)


def _typed(name: str, engine: Any, *arguments: Any, dtype: str, **options: Any) -> Any:
    """The call with `dtype` given by name."""
    return find(engine, name)(*arguments, dtype=getattr(engine, dtype), **options)


def _steps(make: Maker) -> Sample:
    if make.flag():
        start = make.integer(-3, 3)
        return make.sample(start, start + make.integer(0, 9), make.integer(1, 3))
    return make.sample(make.choice(0, 0.0, -1.5), make.choice(2, 3.5), make.choice(0.5, 0.3, 1))


def _up_to(make: Maker) -> Sample:
    return make.sample(make.integer(-3, 0), make.choice(0, 2.5, 4), make.choice(1, 0.5, 0.3))


def _spaced(make: Maker) -> Sample:
    return make.sample(make.choice(0, -2.5, 1), make.choice(1, 4.5, -3), make.integer(0, 7))


def _and_shape(make: Maker) -> Sample:
    return make.sample(make.array(), make.shape())


def _from_buffer(engine: Any, count: int) -> Any:
    return engine.frombuffer(bytearray(range(8 * count)), dtype=engine.int32)


_NOT_A_SHAPE = (sample(-1), sample("text"), sample((2, -3)))

_CREATION = [
    *_simple_rows("zeros ones", _sized, errors=_NOT_A_SHAPE),
    *[_simple(f"{name} of a dtype", lambda make: make.sample(make.shape(), dtype=make.dtype()),
              partial(_typed, name)) for name in ("zeros", "ones")],
    *_simple_rows("zeros_like ones_like asarray as_tensor", unary()),
    _simple("full", lambda make: make.sample(make.shape(), make.number()),
            errors=(sample((2,), "text"), sample((-1,), 1.0))),
    _simple("full_like", lambda make: make.sample(make.array(), make.choice(2, True, 3.0))),
    _simple("arange", _steps, ulp=1, scale="largest",
            errors=(sample(0, 5, 0), sample(0, 5, -1), sample("text"))),
    _simple("range", _up_to, errors=(sample(0, 5, 0), sample(0, 5, -1), sample(0, float("inf")))),
    _simple("linspace", _spaced, ulp=2, scale="largest", errors=(sample(0, 1, -1),)),
    _simple("logspace", _spaced, ulp=4, errors=(sample(0, 1, -1),)),
    _simple("eye", lambda make: make.sample(make.integer(0, 4), make.integer(0, 4)),
            errors=_NOT_A_SHAPE[:2]),
    _simple("tensor", lambda make: make.sample(make.array().tolist()),
            errors=(sample([1, [2]]), sample([[1], [2, 3]]), sample("text"), sample([None]))),
    _simple("frombuffer", lambda make: make.sample(make.integer(1, 4)), _from_buffer,
            errors=(sample(0),)),
    _simple("scalar_tensor", lambda make: make.sample(make.choice(1, 2.5))),
    *_simple_rows("Tensor.new_zeros Tensor.new_ones", _and_shape, errors=(sample(MATRIX, -1),)),
    _simple("Tensor.new_full", lambda make: make.sample(make.array(), make.shape(), 2)),
    *_simple_rows("Tensor.new Tensor.new_tensor", shaped(0, 3, [1, 2])),
]  # fmt: skip


# Random numbers, which are those of PyTorch's CPU streams


def _seeded(name: str, engine: Any, seed: int, *arguments: Any) -> Any:
    """The call after `manual_seed`, and the number that is drawn next."""
    engine.manual_seed(seed)
    return find(engine, name)(*arguments), engine.rand(1)


def _refilled(name: str, engine: Any, seed: int, x: Any, *arguments: Any) -> Any:
    """The method, called on a copy after `manual_seed`, and the number that is drawn next."""
    engine.manual_seed(seed)
    return getattr(x.clone(), name)(*arguments), engine.rand(1)


def _long(make: Maker) -> Shape:
    """A shape, of more than 16 numbers often enough: normal numbers come in blocks of 16."""
    return make.shape() if make.flag() else (make.integer(15, 70),)


@parametrized
def _drawn(make: Maker, *options: tuple[Any, ...]) -> Sample:
    return make.sample(make.seed(), *[make.choice(*each) for each in options], _long(make))


@parametrized
def _like(make: Maker, *others: Any, numbers: str = "ordinary") -> Sample:
    return make.sample(make.seed(), make.array(numbers=numbers), *others)


def _means(make: Maker) -> Sample:
    """Each number with a mean or a deviation of its own, or with both."""
    mean, std = make.array(_long(make)), 0.5
    way = make.choice("mean", "deviation", "both")
    if way == "mean":
        return make.sample(make.seed(), mean, std)
    deviations = make.array(mean.shape, "positive")
    return make.sample(make.seed(), mean if way == "both" else 1.5, deviations)


def _weights(make: Maker) -> Sample:
    count, kind = make.integer(1, 3), make.floating()
    weights = make.in_situation("ordinary").array((count, 5), "unit", kind)
    return make.sample(make.seed(), Given(weights, False), make.integer(1, 5), make.flag())


def _trials(make: Maker) -> Sample:
    """How many trials, and their probabilities."""
    count = np.floor(make.in_situation("ordinary").array((5,), "positive") * 9)
    chances = filled((5,), count.dtype, "unit", make.seed())
    return make.sample(make.seed(), Given(count, False), Given(chances, False))


def _concentrations(make: Maker) -> Sample:
    make = make.in_situation("float64" if make.situation == "float64" else "ordinary")
    return make.sample(make.seed(), make.array(make.shape(1, 2), "positive"))


def _sampled(name: str, *others: Any) -> Any:
    """A sample of a distribution of tensors and of other parameters."""
    engine, seed, x = others[-3:]
    engine.manual_seed(seed)
    return getattr(engine.distributions, name)(x, *others[:-3]).rsample(), engine.rand(1)


@parametrized
def _to_fill(make: Maker, *options: tuple[Any, ...]) -> Sample:
    """A tensor to fill, and parameters."""
    chosen = [make.choice(*each) for each in options]
    return make.sample(make.seed(), make.array(_long(make)), *chosen)


def _chances(make: Maker) -> Sample:
    """A tensor to fill with one probability, or with one for each number."""
    x = make.array(_long(make))
    if make.flag():
        return make.sample(make.seed(), x, make.choice(0.0, 0.3, 1.0))
    chances = make.in_situation("ordinary").array(x.shape, "unit", make.floating())
    return make.sample(make.seed(), x, Given(chances, False))


def _random(
    name: str, inputs: Inputs, primitives: str | None, *wrong: Any, **options: Any
) -> Operation:
    """A function by its first word, tried on wrong arguments too, if there are any."""
    errors = (sample(0, *wrong),) if wrong else ()
    function = partial(_seeded, name.split()[0])
    return Operation(name, inputs, function, primitives=primitives, errors=errors, **options)


def _filling(name: str, inputs: Inputs, primitives: str, *wrong: Any, **options: Any) -> Operation:
    """The same for a method that fills a tensor."""
    errors = (sample(0, MATRIX, *wrong),) if wrong else ()
    function = partial(_refilled, name.split()[0])
    return Operation(f"Tensor.{name}", inputs, function, primitives=primitives, errors=errors,
                     **options)  # fmt: skip


_RANDOM_NUMBERS = [
    _random("rand", _drawn(), "uniform", -1),
    _random("randn", _drawn(), "normal", -1, ulp=4),
    _random("randint", _drawn((0, -5), (1, 10, 2**40)), "random_from_to", 5, 5, (2,)),
    _random("randperm", lambda make: make.sample(make.seed(), make.integer(0, 40)), None, -1),
    _random("normal", _drawn((0.0, 2.0), (1.0, 0.5)), None, 0.0, -1.0, (2,), ulp=4),
    _random("normal of tensors", _means, "normal_of_means normal_of_stds normal_of_both",
            MATRIX, -MATRIX, ulp=4, scale="largest"),
    _random("rand_like", _like(), "uniform"),
    _random("randn_like", _like(), "normal", ulp=4),
    _random("randint_like", _like(1, 9), "random_from_to"),
    _random("bernoulli", _like(numbers="unit"), "bernoulli_of", 2 * MATRIX),
    Operation("multinomial", _weights, partial(_seeded, "multinomial"),
              errors=(sample(0, -MATRIX, 1), sample(0, MATRIX, 9))),
    _random("poisson", _like(numbers="positive"), "poisson", -MATRIX),
    Operation("binomial", _trials, partial(_seeded, "binomial"), errors=(sample(0, MATRIX),)),
    # Their derivatives, which PyTorch approximates: tests/distributions.
    Operation("distributions.Gamma", _like(numbers="positive"), partial(_sampled, "Gamma", 2.0),
              differentiable=False, second_order=False,
              primitives="standard_gamma standard_gamma_grad",
              errors=(sample(0, "text"),)),
    Operation("distributions.Dirichlet", _concentrations, partial(_sampled, "Dirichlet"),
              differentiable=False, second_order=False,
              primitives="sample_dirichlet dirichlet_grad",
              errors=(sample(0, -MATRIX),)),
    _filling("uniform_", _to_fill((0, -1.5), (1, 2.5)), "uniform", 2, 1, ulp=1),
    _filling("normal_", _to_fill((0, -1.5), (1, 2.5)), "normal", 0, -1, ulp=4, scale="largest"),
    _filling("log_normal_", _to_fill((0, 0.5), (1, 0.25)), "log_normal", 0, -1, ulp=8,
             scale="largest"),
    _filling("exponential_", _to_fill((1, 0.5)), "exponential", -1, ulp=4),
    _filling("cauchy_", _to_fill((0, 1.5), (1, 0.5)), "cauchy", 0, -1, ulp=8, scale="largest"),
    _filling("geometric_", _to_fill((0.3, 0.9)), "geometric", 1.5),
    _filling("bernoulli_", _chances, "bernoulli bernoulli_each", 1.5),
    _filling("random_ from and to", _to_fill((0, 1), (2, 100)), "random_from_to", 2, 1),
    _filling("random_ to", _to_fill((2, 100)), "random_to", 0),
    _filling("random_", _to_fill(), "random"),
]  # fmt: skip


# What a tensor says of itself, other names for a tensor, and questions about dtypes

_ANSWERS = (
    "dtype", "device", "grad", "imag", "is_cpu", "is_cuda", "is_ipu", "is_leaf", "is_maia",
    "is_meta", "is_mkldnn", "is_mps", "is_mtia", "is_nested", "is_quantized", "is_sparse",
    "is_sparse_csr", "is_vulkan", "is_xla", "is_xpu", "itemsize", "layout", "name", "nbytes",
    "ndim", "output_nr", "requires_grad", "retains_grad", "shape",
)  # fmt: skip
_QUESTIONS = (
    "dim", "element_size", "get_device", "is_contiguous", "is_inference", "is_pinned", "is_shared",
    "is_signed", "item", "ndimension", "nelement", "size", "storage_offset", "tolist", "type",
    "__len__",
)  # fmt: skip
_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "__bool__": bool, "__int__": int, "__float__": float, "__complex__": complex,
    "__index__": lambda x: list(range(9))[x],
}  # fmt: skip
_VIEWS = ("T", "H", "mH", "data", "real")


def _plain(value: Any) -> Any:
    """A device or layout by its name, which is the same for both engines."""
    return str(value) if type(value).__name__ in ("device", "layout", "complex") else value


def _attribute(name: str, engine: Any, x: Any) -> Any:
    return _plain(getattr(x, name))


def _answer(name: str, engine: Any, x: Any) -> Any:
    return _plain(getattr(x, name)())


def _converted(call: Callable[[Any], Any], engine: Any, x: Any) -> Any:
    return _plain(call(x))


def _square(make: Maker) -> Sample:
    """A matrix: of other tensors PyTorch warns, once in a process."""
    return make.sample(make.array(make.shape(2, 2) or (1, 1)))


def _reshaped(make: Maker) -> Sample:
    """Two tensors, the second with the shape that the first is to have."""
    x = make.array()
    return make.sample(x, make.array(x.shape[::-1]))


def _expandable(make: Maker) -> Sample:
    x, y = make.arrays(2)
    return make.sample(x, np.zeros(np.broadcast_shapes(x.shape, y.shape), np.int64))


def _two_dtypes(make: Maker) -> Sample:
    kinds = ("float32", "float64", "int64", "int32", "uint8", "bool")
    return make.sample(make.choice(*kinds), make.choice(*kinds))


def _of_dtypes(name: str, engine: Any, first: str, second: str) -> Any:
    found = getattr(engine, name)(getattr(engine, first), getattr(engine, second))
    return found if isinstance(found, bool) else str(found)


def _reserved(name: str, engine: Any, *given: Any) -> Any:
    """The result with all numbers put to 0: they are nobody's promise."""
    return getattr(engine, name)(*given).detach().zero_()


def _element(make: Maker) -> Sample:
    return make.sample(make.array(make.shape() if make.flag() else (1,)))


def _from_array(engine: Any, x: Any) -> Any:
    """The tensor of a tensor's array, which shares its memory."""
    array = x.detach().numpy()
    made = engine.from_numpy(array)
    return made, np.shares_memory(made.numpy(), array)


_QUERIES = [
    *[_simple(f"Tensor.{name}", unary(), partial(_attribute, name)) for name in _ANSWERS],
    *[_simple(f"Tensor.{name}", _element, partial(_answer, name)) for name in _QUESTIONS],
    _simple("Tensor.stride", _element, partial(_answer, "stride"),
            situations=tuple(each for each in SITUATIONS if each != "empty")),
    Operation("adjoint", _square, primitives="permute"),
    *[_simple(f"Tensor.{name}", _element, partial(_converted, call))
      for name, call in _CONVERSIONS.items()],
    *[Operation(f"Tensor.{name}", _square, partial(_attribute, name), primitives="permute")
      for name in _VIEWS],
    *_simple_rows("Tensor.detach Tensor.cpu Tensor.requires_grad_", unary()),
    _simple("Tensor.numpy", unary(), lambda t, x: x.detach().numpy().tolist()),
    Operation("Tensor.__iter__", unary(), lambda t, x: list(x), primitives="slice"),
    Operation("Tensor.__reversed__", unary(), lambda t, x: reversed(x), primitives="slice"),
    _simple("Tensor.__contains__", lambda make: make.sample(
        make.array(numbers="halves"), make.choice(0.5, 1, True, 7)),
        lambda t, x, number: number in x, errors=(sample(MATRIX, "text"),)),
    *rows("Tensor.reshape_as Tensor.view_as", _reshaped, primitives="reshape",
          errors=(sample(MATRIX, TWO),)),
    Operation("Tensor.expand_as", _expandable, ulp=4, scale="terms", primitives="expand",
              errors=(sample(MATRIX, TWO),)),
    *[_simple(name, _two_dtypes, partial(_of_dtypes, name))
      for name in ("promote_types", "can_cast")],
    _simple("result_type", lambda make: make.sample(make.array(), make.number()),
            lambda t, x, y: str(t.result_type(x, y))),
    _simple("typename", unary()),
    _simple("is_tensor", lambda make: make.sample(make.choice(make.array(), 1.0))),
    _simple("from_numpy", unary(), _from_array),
    _simple("empty", lambda make: make.sample(make.shape()), partial(_reserved, "empty"),
            errors=_NOT_A_SHAPE[:2]),
    _simple("empty_like", unary(), partial(_reserved, "empty_like")),
    _simple("Tensor.new_empty", _and_shape, lambda t, x, shape: x.new_empty(shape).zero_()),
]  # fmt: skip

OPERATIONS = [_FUNCTION, *_IN_PLACE, *_CREATION, *_RANDOM_NUMBERS, *_QUERIES]
