"""Random numbers: filling arrays and tensors with them, recorded, observed and repeatable.

A `Fill` fills an array: a function with its parameters and its generator bound. A primitive fills a
new array by it; here an array is filled first, and then the call is noted as if the primitive had
done it.
"""

from __future__ import annotations

import functools
import math
import operator
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine import types
from tinygrad_mnist.engine.calls import record_call
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.memory import SHARED
from tinygrad_mnist.engine.observer import OBSERVERS, report
from tinygrad_mnist.engine.primitive import Primitive, primitive
from tinygrad_mnist.engine.saved_tensors import check_inplace
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import DType
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.kernels import random_numbers as distributions
from tinygrad_mnist.kernels.random_numbers import Stream

from .arguments import (
    check_floating,
    is_integer,
    not_implemented,
    not_negative,
    read_dtype,
    unpacking_failed,
)
from .generator import Generator, default_generator
from .views import rebase

_INTS, _BEYOND = {int}, 2**63
Fill = Callable[[Array], None]
Shape = tuple[int, ...]

_GRAD_FNS = {
    "uniform": "UniformBackward0",
    "normal": "NormalBackward0",
    "log_normal": "LogNormalBackward0",
    "exponential": "ExponentialBackward0",
    "cauchy": "CauchyBackward0",
    "geometric": "GeometricBackward0",
    "bernoulli_each": "BernoulliBackward1",
    "bernoulli": "BernoulliBackward2",
    "random_from_to": "RandomBackward0",
    "random_to": "RandomBackward1",
    "random": "RandomBackward2",
    "randperm": None,
}


def _drawing(name: str, grad_fn: str | None) -> Primitive:
    def draw(*before: Array, shape: Shape, dtype: np.dtype[Any], fill: Fill) -> Array:
        """numbers drawn at random, whatever was there before"""
        numbers = np.empty(shape, dtype)
        fill(numbers)
        return numbers

    draw.__name__ = name
    operation: Primitive = primitive(draw, grad_fn=grad_fn)
    operation.derivatives(before=lambda g: 0 * g)
    return operation


_DRAWINGS = {name: _drawing(name, grad_fn) for name, grad_fn in _GRAD_FNS.items()}


class batched_draws:
    """Inside the `with` block, draw as PyTorch does for a batch: for all samples at once.

    The samples are computed one by one; `begin` says which one. `randomness` is "same" for all,
    "different", or "error", which raises RuntimeError where something is drawn.
    """

    _open: ClassVar[list[batched_draws]] = []

    def __init__(self, size: int, randomness: str) -> None:
        self.size, self.randomness = size, randomness
        self.drawn: list[Array] = []
        self.sample = self.draw = 0

    def __enter__(self) -> batched_draws:
        self._open.append(self)
        return self

    def __exit__(self, *details: object) -> None:
        self._open.remove(self)

    def begin(self, sample: int) -> None:
        """Go on to the first draw of a sample."""
        self.sample, self.draw = sample, 0

    @classmethod
    def fill(cls, name: str, array: Array, fill: Fill, level: int = -1) -> None:
        """Fill an array, for the innermost batch by all draws of the ones around it."""
        if len(cls._open) < -level:
            rows = array.reshape(-1, array.shape[-1]) if name == "randperm" else [array]
            for row in rows:
                fill(row)
            return
        batch = cls._open[level]
        if batch.randomness == "error":
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use "
                "the 'same' or 'different' randomness flags on vmap or perform the randomness "
                "operation out of vmap"
            )
        different = batch.randomness == "different"
        if batch.draw == len(batch.drawn):
            drawn = np.empty((batch.size, *array.shape) if different else array.shape, array.dtype)
            cls.fill(name, drawn, fill, level - 1)
            batch.drawn.append(drawn)
        known = batch.drawn[batch.draw]
        batch.draw += 1
        array[...] = known[batch.sample] if different else known


def new(name: str, array: Array, fill: Fill) -> Tensor:
    """A new tensor that holds `array`, filled."""
    if batched_draws._open:
        batched_draws.fill(name, array, fill)
    else:
        fill(array)
    tensor = wrap(array)
    if OBSERVERS:
        attributes = {"shape": array.shape, "dtype": array.dtype, "fill": fill}
        report(_DRAWINGS[name], (), attributes, tensor)
    return tensor


def _refill(name: str, target: Tensor, fill: Fill, recorded: bool) -> None:
    """Fill a tensor's array; where the change is `recorded`, no gradient passes it."""
    array, operation = target._array, _DRAWINGS[name]
    before, after = wrap(array), wrap(array)
    before._record = current_record(target)
    if batched_draws._open:
        batched_draws.fill(name, array, fill)
    else:
        fill(array)
    target._counter[0] += 1
    attributes = {"shape": array.shape, "dtype": array.dtype, "fill": fill}
    if recorded:
        record_call(operation, (before,), (array,), after, attributes)
        if after._record is not None:
            rebase(target, after._record)
    if OBSERVERS:
        report(operation, (target,), attributes, target)


# Reading arguments


class Options(types.Options, total=False):
    """The keywords that say what kind of tensor to make."""

    out: None
    dtype: DType


def mismatch(
    name: str, args: Sequence[Any], named: dict[str, Any], expected: Sequence[str]
) -> TypeError:
    """The error for a call that fits none of the `expected` signatures."""
    got = [type(value).__name__ for value in args]
    got += [f"{key}={type(value).__name__}" for key, value in named.items()]
    listed = "".join(f"\n * ({signature})" for signature in expected)
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({', '.join(got)}), "
        f"but expected one of:{listed}"
    )


def bind_from_the_right(
    name: str, parameters: tuple[str, ...], args: Sequence[Any], named: dict[str, Any],
    expected: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """The arguments by name, where the first of `parameters` may be left out: randint(high, size).

    Those given by keyword are taken out of `named`. Raises TypeError where they do not fit.
    """
    by_keyword: dict[str, Any] = {key: named.pop(key) for key in parameters if key in named}
    count = len(args) + len(by_keyword)
    names = parameters[-count:] if count in (len(parameters) - 1, len(parameters)) else ()
    bound = dict(zip(names, args, strict=False)) | by_keyword
    if not names or bound.keys() != set(names):
        raise mismatch(name, args, by_keyword, expected)
    return bound


def read_options(name: str, options: Any, default: dtypes.dtype) -> tuple[dtypes.dtype, bool]:
    """The dtype and requires_grad of `Options`; TypeError for other keywords."""
    if not options:
        return default, False
    unknown = options.keys() - Options.__annotations__.keys() - {"out"}
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{min(unknown)}'")
    check_device(options.get("device"))
    if options.get("pin_memory"):
        raise RuntimeError("pin_memory=True requires a GPU to copy to, and there is none here")
    kind = read_dtype(name, options.get("dtype")) or default
    requires_grad = bool(options.get("requires_grad"))
    if requires_grad and not kind.is_floating_point:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return kind, requires_grad


def _must_be(kind: str, name: str, argument: str, position: int | None, value: Any) -> TypeError:
    where = "" if position is None else f" (position {position})"
    given = type(value).__name__
    return TypeError(f"{name}(): argument '{argument}'{where} must be {kind}, not {given}")


def read_sizes(name: str, sizes: tuple[Any, ...], size: Any) -> Shape:
    """A shape given as f(2, 3), f((2, 3)), f([2, 3]) or f(size=(2, 3)).

    Raises TypeError for what is not integers.
    """
    if (
        size is None
        and sizes
        and set(map(type, sizes)) == _INTS
        and 0 <= min(sizes) <= max(sizes) < _BEYOND
    ):
        return sizes
    in_one = bool(sizes) and isinstance(sizes[0], tuple | list)
    if (not sizes) == (size is None) or (len(sizes) > 1 and in_one):
        named = {} if size is None else {"size": size}
        raise mismatch(name, sizes, named, ["tuple of ints size, *, torch.Generator generator"])
    if size is not None:
        return read_size(name, size, None)
    if in_one:
        return read_size(name, sizes[0], 1)
    if not is_integer(sizes[0]):
        raise _must_be("tuple of ints", name, "size", 1, sizes[0])
    return _lengths(name, sizes)


def read_size(name: str, size: Any, position: int | None) -> Shape:
    """A shape given as one argument, a tuple or list of integers; TypeError for anything else."""
    if not isinstance(size, tuple | list):
        raise _must_be("tuple of ints", name, "size", position, size)
    if size and not is_integer(size[0]):
        where = "" if position is None else f" (position {position})"
        raise TypeError(
            f"{name}(): argument 'size'{where} must be tuple of ints, but found element of type "
            f"{type(size[0]).__name__} at pos 0"
        )
    return _lengths(name, size)


def _lengths(name: str, size: Sequence[Any]) -> Shape:
    for position, length in enumerate(size, 1):
        if length.__class__ is int and -(2**63) < length < 2**63:
            continue
        if not is_integer(length) and not isinstance(length, bool):
            why = f"type must be tuple of ints,but got {type(length).__name__}"
            raise unpacking_failed(name, position, why)
        if abs(operator.index(length)) >= 2**63:
            raise unpacking_failed(name, position, "Overflow when unpacking long long")
    return tuple([operator.index(length) for length in size])


def read_int(name: str, argument: str, position: int, value: Any) -> int:
    """An argument that must be an int of 64 bits; TypeError or ValueError where it is not."""
    if value.__class__ is int and -(2**63) <= value < 2**63:
        return value
    if not is_integer(value):
        raise _must_be("int", name, argument, position, value)
    number = operator.index(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError("Overflow when unpacking long long")
    return number


def is_float(value: Any) -> bool:
    """Whether PyTorch takes `value` for a float: a number, or a tensor of no dimensions."""
    if isinstance(value, Tensor):
        return value._array.ndim == 0
    return isinstance(value, int | float | np.integer | np.floating)


def read_float(name: str, argument: str, position: int, value: Any) -> float:
    """An argument that must be a number; TypeError where it is none."""
    if not is_float(value):
        raise _must_be("float", name, argument, position, value)
    return float(value._array) if isinstance(value, Tensor) else float(value)


def new_array(shape: Shape, kind: dtypes.dtype) -> Array:
    """An array to be filled; RuntimeError for a negative length or more bytes than there are."""
    try:
        return np.empty(shape, kind.numpy)
    except (MemoryError, ValueError):
        not_negative(shape)
        size = math.prod(shape) * kind.itemsize
        if size >= 2**63:
            raise RuntimeError(
                f"Storage size calculation overflowed with sizes={list(shape)}"
            ) from None
        raise RuntimeError(
            f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes."
        ) from None


# Filling arrays


def stream_of(generator: Generator | None) -> Stream:
    """The stream of a generator, to draw from with its lock held; TypeError for another object."""
    if generator is None:
        return default_generator._stream
    source: Any = generator
    if not isinstance(source, Generator):
        raise TypeError(
            f"argument 'generator' must be torch.Generator, not {type(generator).__name__}"
        )
    return source._stream


def _continuous(array: Array, name: str, given: str) -> None:
    if array.dtype.kind not in dtypes.FLOATS:
        raise RuntimeError(
            f"{name} distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {given}"
        )


def _check_exponential(array: Array) -> None:
    _continuous(array, "Exponential", dtypes.from_numpy_dtype(array.dtype).legacy_name)


def _check_cauchy(array: Array) -> None:
    kind = dtypes.from_numpy_dtype(array.dtype)
    _continuous(array, "Cauchy", "long int" if kind is dtypes.int64 else kind.cpp_name)


def _check_geometric(array: Array) -> None:
    if array.dtype.kind == "b":
        raise not_implemented("geometric_cpu", array.dtype)


def _distribution(
    name: str, allowed: Callable[..., bool], words: str, check: Callable[[Array], None]
) -> Callable[..., None]:
    """What fills an array by the kernel `name`, from a generator; PyTorch's errors, in `words`."""
    kernel = getattr(distributions, name)

    def fill(array: Array, *, generator: Generator | None, **parameters: float) -> None:
        if not allowed(*parameters.values()):
            raise RuntimeError(words.format(**parameters))
        if array.size:
            check(array)
        stream = stream_of(generator)
        with stream.lock:
            kernel(stream, array, *parameters.values())

    return fill


def normal(array: Array, mean: float, std: float, generator: Generator | None) -> None:
    """Normal numbers."""
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if array.size:
        check_floating("normal_kernel_cpu", array)
    stream = stream_of(generator)
    with stream.lock:
        distributions.normal(stream, array, mean, std)


_log_normal = _distribution(
    "log_normal", lambda mean, std: std > 0, "log_normal_ expects std > 0.0, but found std={std:g}",
    partial(check_floating, "log_normal_cpu"),
)  # fmt: skip
_exponential = _distribution(
    "exponential", lambda lambd: lambd > 0,
    "exponential_ expects lambda > 0.0, but found lambda={lambd:g}", _check_exponential,
)  # fmt: skip
_cauchy = _distribution(
    "cauchy", lambda median, sigma: sigma > 0,
    "cauchy_ expects sigma > 0.0, but found sigma={sigma:g}", _check_cauchy,
)  # fmt: skip
_geometric = _distribution(
    "geometric", lambda p: 0 < p < 1, "geometric_ expects p to be in (0, 1), but got p={p:g}",
    _check_geometric,
)  # fmt: skip


def uniform(array: Array, low: float, high: float, generator: Generator | None) -> None:
    """Numbers from [low, high)."""
    check_floating("check_uniform_bounds", array)
    if low != 0 or high != 1:
        _check_interval(array.dtype, low, high)
    stream = stream_of(generator)
    with stream.lock:
        distributions.uniform(stream, array, low, high)


def _check_interval(dtype: np.dtype[Any], low: float, high: float) -> None:
    kind = dtypes.from_numpy_dtype(dtype)
    largest = float(dtypes.finfo(kind).max)
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {kind.cpp_name}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{kind.legacy_name}>::max(), but "
            f"found to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


def bernoulli(array: Array, p: float | Array, generator: Generator | None) -> None:
    """1 with probability p, else 0; an array `p` gives each element its own and is broadcast."""
    if isinstance(p, np.ndarray):
        if not array.size:
            return
        check_floating("bernoulli_tensor_cpu_p_", p)
        if not (p.item(p.argmin()) >= 0 and p.item(p.argmax()) <= 1):
            raise RuntimeError(
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error "
                "message be improved?  If so, please report an enhancement request to PyTorch.)"
            )
        p = p if p.shape == array.shape else np.broadcast_to(p, array.shape)
    elif not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    stream = stream_of(generator)
    with stream.lock:
        distributions.bernoulli(stream, array, p)


def _whole_range(array: Array, generator: Generator | None) -> None:
    """Whole numbers from 0 to the largest that the type holds, for floats without gaps below it."""
    stream = stream_of(generator)
    with stream.lock:
        if array.dtype in dtypes.NARROW:
            distributions.integers(stream, array, 0, (1 << dtypes.digits(array.dtype)) + 1)
        else:
            distributions.whole_range(stream, array)


_LOWEST = -(2**63)
_CALLER = 7  # frames from a warning about bounds up to whoever called `random_` or `randint`


def integers(array: Array, low: int, high: int | None, generator: Generator | None) -> None:
    """Whole numbers from [low, high), or from low to the largest of the type when high is None."""
    if high is not None and low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if high is None and low == _LOWEST:
        count = 2**64
        low = 0
        if array.size and array.dtype.name not in ("int64", "float32", "float64", "bfloat16"):
            raise RuntimeError(
                "random_full_64_bits_range_kernel_cpu handles only int64, double, float and "
                "bfloat16"
            )
    else:
        low, last = _closed_range(array.dtype, low, high)
        count = last - low + 1
    stream = stream_of(generator)
    with stream.lock:
        distributions.integers(stream, array, low, count)


def permutation(array: Array, generator: Generator | None) -> None:
    """0, 1, …, n - 1 in random order, for an array of shape (n,)."""
    stream = stream_of(generator)
    with stream.lock:
        array[...] = distributions.permutation(stream, array.size)


def _closed_range(dtype: np.dtype[Any], low: int, high: int | None) -> tuple[int, int]:
    """The first and the last of the numbers to draw, all of which `dtype` must hold."""
    if dtype.kind in dtypes.FLOATS:
        low, last = _closed_float_range(dtype, low, high)
    else:
        last = _limits(dtype)[1] if high is None else high - 1
    _check_bounds(dtype, low, last)
    return low, last


def _closed_float_range(dtype: np.dtype[Any], low: int, high: int | None) -> tuple[int, int]:
    """The range moved inwards so that no number of it is rounded to one outside."""
    digits = dtypes.digits(dtype)
    first = low
    after = _rounded(dtype, low + 1)
    if after < low:
        first = after + (1 << ((abs(low + 1)).bit_length() - digits))
    if high is None:
        if first >= 1 << digits:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' "
                f"casted to dtype, but got from={first} > to_inc={1 << digits}"
            )
        return first, 1 << digits
    end = high
    before = _rounded(dtype, high - 1)
    if before >= high:
        end = before - (1 << ((abs(high - 1)).bit_length() - digits))
    if first >= end:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            f"but got from={first} >= to={end}"
        )
    return first, end - 1


def _rounded(dtype: np.dtype[Any], number: int) -> int:
    """`number` as `dtype` holds it; 2**63 becomes -2**63, as in C on x86."""
    rounded = int(dtype.type(number))
    return rounded if rounded < 2**63 else _LOWEST


def _check_bounds(dtype: np.dtype[Any], low: int, last: int) -> None:
    kind = dtypes.from_numpy_dtype(dtype)
    for name, bound in (("from", low), ("to - 1", last)):
        if dtype.kind in dtypes.FLOATS:
            digits = dtypes.digits(dtype)
            if abs(bound) > 1 << digits:
                warnings.warn(
                    f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision "
                    f"limitations {kind.cpp_name} can support discrete uniform distribution only "
                    "within this range. This warning will become an error in version 1.7 release, "
                    "please fix the code in advance",
                    UserWarning,
                    stacklevel=_CALLER,
                )
        elif not _limits(dtype)[0] <= bound <= _limits(dtype)[1]:
            raise RuntimeError(f"{name} is out of bounds for {kind.cpp_name}")


@functools.cache
def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind == "b":
        return 0, 1
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


# Methods that fill a tensor. Each returns the tensor. A leaf that requires a gradient refuses with
# PyTorch's RuntimeError while gradients are recorded; to what a non-leaf held before flows 0.


def _filled(target: Tensor, name: str, fill: Callable[..., None], **parameters: Any) -> Tensor:
    recorded = check_inplace(target)
    array = target._array
    if array.size and any(
        step == 0 and length > 1 for step, length in zip(array.strides, array.shape, strict=True)
    ):
        raise RuntimeError(SHARED)
    _refill(name, target, partial(fill, **parameters), recorded)
    return target


def _floats(function: str, **given: float) -> dict[str, float]:
    """A distribution's parameters, given in this order."""
    return {
        name: read_float(function, name, position, value)
        for position, (name, value) in enumerate(given.items(), 1)
    }


def _bounds(name: str, bounds: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """`from` and `to`, which Python cannot name as parameters, from either kind of argument."""
    given = dict(zip(("from", "to"), bounds, strict=False))
    if len(bounds) > 2:
        raise TypeError(
            f"{name}() takes from 0 to 2 positional arguments but {len(bounds)} were given"
        )
    for key in named:
        if key not in ("from", "to"):
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        if key in given:
            raise TypeError(f"{name}() got multiple values for argument '{key}'")
    return given | named


def uniform_(
    self: Tensor, *bounds: float, generator: Generator | None = None, **named: float
) -> Tensor:
    """Fill with numbers from [from, to); the bounds are 0 and 1 unless given, in this order.

    Raises RuntimeError where from > to or a bound is out of the type's range.

    >>> _ = torch.manual_seed(0)
    >>> torch.empty(2).uniform_(-1, 1)
    tensor([-0.0075,  0.5364])
    """
    given = {"from": 0.0, "to": 1.0} | _bounds("uniform_", bounds, named)
    low, high = _floats("uniform_", **given).values()
    return _filled(self, "uniform", uniform, low=low, high=high, generator=generator)


def random_(
    self: Tensor, *bounds: int | None, generator: Generator | None = None, **named: int | None
) -> Tensor:
    """Fill with whole numbers from 0 or `from` up to `to` - 1.

    Called as random_(), random_(to) or random_(from, to). Without `to`, that is random_() or
    random_(from, None), up to the largest number of the type, for floats without gaps below it.
    Raises RuntimeError for an empty or too wide range.
    """
    given = _bounds("random_", bounds, named)
    if not given:
        return _filled(self, "random", _whole_range, generator=generator)
    if len(given) == 1 and bounds:
        given = {"to": given["from"]}
    if "to" not in given:
        raise mismatch("random_", bounds, named, ("", "int from, int to", "int to"))
    low = read_int("random_", "from", 1, given.get("from", 0))
    unbounded = given["to"] is None and "from" in given
    high = None if unbounded else read_int("random_", "to", len(given), given["to"])
    name = "random_from_to" if "from" in given else "random_to"
    return _filled(self, name, integers, low=low, high=high, generator=generator)


def normal_(
    self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers. Raises RuntimeError where std < 0.

    >>> _ = torch.manual_seed(0)
    >>> torch.empty(2).normal_(mean=10)
    tensor([11.5410,  9.7066])
    """
    parameters = _floats("normal_", mean=mean, std=std)
    return _filled(self, "normal", normal, **parameters, generator=generator)


def log_normal_(
    self: Tensor, mean: float = 1, std: float = 2, *, generator: Generator | None = None
) -> Tensor:
    """Fill with eˣ for normal x. Raises RuntimeError where std <= 0."""
    parameters = _floats("log_normal_", mean=mean, std=std)
    return _filled(self, "log_normal", _log_normal, **parameters, generator=generator)


def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of density λ e^(-λx), λ = lambd. Raises RuntimeError where λ <= 0."""
    parameters = _floats("exponential_", lambd=lambd)
    return _filled(self, "exponential", _exponential, **parameters, generator=generator)


def cauchy_(
    self: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of the Cauchy distribution. Raises RuntimeError where sigma <= 0."""
    parameters = _floats("cauchy_", median=median, sigma=sigma)
    return _filled(self, "cauchy", _cauchy, **parameters, generator=generator)


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of trials up to the first success of probability p, 0 < p < 1."""
    parameters = _floats("geometric_", p=p)
    return _filled(self, "geometric", _geometric, **parameters, generator=generator)


def bernoulli_(
    self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with 1 with probability p, else 0; a tensor `p` gives each element its own.

    Raises RuntimeError for p outside [0, 1].
    """
    name, chance = chances(p, self._array.shape)
    return _filled(self, name, bernoulli, p=chance, generator=generator)


def chances(p: float | Tensor, shape: Shape) -> tuple[str, float | Array]:
    """The name of the operation that draws 1 with probability p, and p as it takes it."""
    if isinstance(p, Tensor):
        return "bernoulli_each", wrap(p._array).expand(shape)._array
    return "bernoulli", read_float("bernoulli_", "p", 1, p)
