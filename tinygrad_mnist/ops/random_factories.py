"""New tensors of random numbers, the ones that PyTorch's CPU generator gives for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack, overload

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.out import into
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Dims, MemoryFormat
from tinygrad_mnist.kernels import random_numbers as distributions

from . import random_in_place as drawing
from .arguments import check_tensors, in_type_of, to_out
from .generator import Generator
from .random_in_place import (
    Fill,
    Options,
    Shape,
    bind_from_the_right,
    chances,
    is_float,
    mismatch,
    new_array,
    read_float,
    read_int,
    read_options,
    read_size,
    read_sizes,
)

_uniform = partial(drawing.uniform, low=0, high=1)
_standard_normal = partial(drawing.normal, mean=0, std=1)


def _made(
    function: str, name: str, shape: Shape, fill: Fill, options: Any, default: dtypes.dtype
) -> Tensor:
    if (out := options.pop("out", None)) is not None:
        same = in_type_of(out, function, options)
        return into(  # type: ignore[no-any-return]
            function, out, (), lambda: _made(function, name, shape, fill, same, default)
        )
    kind, requires_grad = read_options(function, options, default)
    made = drawing.new(name, new_array(shape, kind), fill)
    return made.requires_grad_() if requires_grad else made


def _made_like(function: str, name: str, input: Tensor, fill: Fill, options: Any) -> Tensor:
    """In the layout of `input`, too, unless memory_format=torch.contiguous_format."""
    check_tensors(function, input=input)
    model: Array = input._array
    memory_format = options.pop("memory_format", None)
    default = dtypes.from_numpy_dtype(model.dtype)
    kind, requires_grad = read_options(function, options, default)
    contiguous = 0 in model.strides or str(memory_format) == "torch.contiguous_format"
    array = np.empty_like(model, kind.numpy, order="C" if contiguous else "K")
    made = drawing.new(name, array, fill)
    return made.requires_grad_() if requires_grad else made


def _integers(name: str, given: dict[str, Any], position: int, generator: Generator | None) -> Fill:
    """The filling with numbers from [low, high), which were given from `position` on."""
    low = read_int(name, "low", position, given.get("low", 0))
    high = read_int(name, "high", position + ("low" in given), given["high"])
    return partial(drawing.integers, low=low, high=high, generator=generator)


def rand(
    *sizes: Dims, size: Sequence[int] | None = None,
    generator: Generator | None = None, **options: Unpack[Options],
) -> Tensor:  # fmt: skip
    """Uniform numbers from [0, 1).

    The shape is given as rand(2, 3), rand((2, 3)) or rand(size=(2, 3)).
    `dtype` is the default type unless given; NotImplementedError where it is not a float's.

    >>> _ = torch.manual_seed(0)
    >>> torch.rand(2, 3)
    tensor([[0.4963, 0.7682, 0.0885],
            [0.1320, 0.3074, 0.6341]])
    """
    shape = read_sizes("rand", sizes, size)
    fill = partial(_uniform, generator=generator)
    return _made("rand", "uniform", shape, fill, options, dtypes.get_default_dtype())


def randn(
    *sizes: Dims, size: Sequence[int] | None = None,
    generator: Generator | None = None, **options: Unpack[Options],
) -> Tensor:  # fmt: skip
    """Standard normal numbers, in a shape and type given as to `rand`.

    >>> _ = torch.manual_seed(0)
    >>> torch.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    shape = read_sizes("randn", sizes, size)
    fill = partial(_standard_normal, generator=generator)
    return _made("randn", "normal", shape, fill, options, dtypes.get_default_dtype())


_RANDINT = ("int high, tuple of ints size", "int low, int high, tuple of ints size")


@overload
def randint(
    high: int, size: Sequence[int], *, generator: Generator | None = None, **named: Unpack[Options]
) -> Tensor: ...
@overload
def randint(
    low: int, high: int, size: Sequence[int], *, generator: Generator | None = None,
    **named: Unpack[Options],
) -> Tensor: ...  # fmt: skip
def randint(*args: Any, generator: Generator | None = None, **named: Any) -> Tensor:
    """Whole numbers from [low, high).

    Called as randint(high, size), where low is 0, or randint(low, high, size). `dtype` is
    int64 unless given. Raises RuntimeError where low >= high or the type is too narrow.

    >>> _ = torch.manual_seed(0)
    >>> torch.randint(3, 10, (4,))
    tensor([7, 6, 3, 5])
    """
    by_keyword = "size" in named
    if len(args) == 2 and not named:
        given = {"high": args[0], "size": args[1]}
    else:
        given = bind_from_the_right("randint", ("low", "high", "size"), args, named, _RANDINT)
    fill = _integers("randint", given, 1, generator)
    shape = read_size("randint", given["size"], None if by_keyword else len(given))
    return _made("randint", "random_from_to", shape, fill, named, dtypes.int64)


def randperm(n: int, *, generator: Generator | None = None, **options: Unpack[Options]) -> Tensor:
    """0, 1, …, n - 1 in random order, (n,), of type int64 unless given.

    Raises RuntimeError where n is negative or too large for the type.

    >>> _ = torch.manual_seed(0)
    >>> torch.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    length = read_int("randperm", "n", 1, n)
    out: Any = options.get("out")
    kind = out.dtype if out is not None else read_options("randperm", options, dtypes.int64)[0]
    _check_permutation(length, kind)
    fill = partial(drawing.permutation, generator=generator)
    return _made("randperm", "randperm", (length,), fill, options, dtypes.int64)


def _check_permutation(length: int, kind: dtypes.dtype) -> None:
    if kind is dtypes.bool:
        raise NotImplementedError("\"randperm\" not implemented for 'Bool'")
    if kind.is_floating_point:
        digits = dtypes.digits(kind.numpy)
        if length > 2**digits + 1:
            raise RuntimeError(
                f"n cannot be greater than 2^{digits}+1 for {kind.legacy_name} type."
            )
    elif length - 1 > np.iinfo(kind.numpy).max:
        raise RuntimeError(f"value cannot be converted to type {kind.name}_t without overflow")
    if length > distributions.LONGEST_PERMUTATION:
        raise NotImplementedError(
            f"randperm({length}) is not supported, as PyTorch draws permutations of more than "
            f"{distributions.LONGEST_PERMUTATION} numbers in another way: permute blocks instead"
        )


_NORMAL = (
    "Tensor mean, Tensor std",
    "Tensor mean, float std = 1",
    "float mean, Tensor std",
    "float mean, float std, tuple of ints size",
)


@overload
def normal(
    mean: float | Tensor, std: float | Tensor = 1, *, generator: Generator | None = None
) -> Tensor: ...
@overload
def normal(
    mean: float, std: float, size: Sequence[int], *, generator: Generator | None = None,
    **options: Unpack[Options],
) -> Tensor: ...  # fmt: skip
def normal(
    mean: Any, std: Any = 1, *args: Any, size: Sequence[int] | None = None,
    generator: Generator | None = None, **options: Any,
) -> Tensor:  # fmt: skip
    """Normal numbers, each with a mean and a standard deviation of its own, or all with the same.

    Called as normal(mean, std) with one or two tensors, or normal(mean, std, size) with none.
    Raises RuntimeError where a std is negative or shapes do not fit.

    >>> _ = torch.manual_seed(0)
    >>> torch.normal(torch.tensor([0.0, 100.0]), 0.1)
    tensor([ 0.1541, 99.9707])
    """
    if len(args) == 1 and size is None:
        size, args = args[0], ()
    numbers = is_float(mean) and is_float(std)
    if args or (size is not None and not (numbers and isinstance(size, tuple | list))):
        named = {} if size is None else {"size": size}
        raise mismatch("normal", (mean, std, *args), named, _NORMAL)
    if size is None:
        if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
            raise mismatch("normal", (mean, std), {}, _NORMAL)
        given = (mean, std, generator)
        out = options.get("out")
        each: Tensor = _normal_each(*given) if out is None else to_out(_normal_each, out, given, {})
        return each
    mean, std = read_float("normal", "mean", 1, mean), read_float("normal", "std", 2, std)
    shape = read_size("normal", size, 3)
    fill = partial(drawing.normal, mean=mean, std=std, generator=generator)
    return _made("normal", "normal", shape, fill, options, dtypes.get_default_dtype())


def _normal_each(mean: Any, std: Any, generator: Generator | None) -> Any:
    if not isinstance(std, Tensor):
        std = read_float("normal", "std", 2, std)
        return _normal_of_means(mean, std=std, generator=generator)
    if not isinstance(mean, Tensor):
        mean = read_float("normal", "mean", 1, mean)
        return _normal_of_stds(std, mean=mean, generator=generator)
    return _normal_of_both(mean, std, generator=generator)


@primitive(grad_fn="NormalBackward1")
def _normal_of_means(mean: Array, *, std: float, generator: Generator | None) -> Array:
    """mean + std · z for normal z"""
    numbers = np.empty(mean.shape, mean.dtype)
    drawing.normal(numbers, mean=0, std=std, generator=generator)
    return numbers + mean


@primitive(grad_fn="NormalBackward2")
def _normal_of_stds(std: Array, *, mean: float, generator: Generator | None) -> Array:
    """mean + std · z for normal z"""
    numbers = _standard(std, std.shape, std.dtype, generator)
    numbers *= std
    numbers += std.dtype.type(mean)
    return numbers


@primitive(grad_fn="NormalBackward3")
def _normal_of_both(mean: Array, std: Array, *, generator: Generator | None) -> Array:
    """mean + std · z for normal z"""
    shape = np.broadcast_shapes(mean.shape, std.shape)
    numbers = _standard(std, shape, mean.dtype, generator)
    kind = dtypes.promote((numbers, std)).numpy
    scaled = np.multiply(numbers, std, dtype=kind).astype(mean.dtype)
    return scaled + mean


def _standard(std: Array, shape: Shape, dtype: np.dtype[Any], generator: Generator | None) -> Array:
    if std.size and not (std >= 0).all():
        raise RuntimeError("normal expects all elements of std >= 0.0")
    numbers = np.empty(shape, dtype)
    _standard_normal(numbers, generator=generator)
    return numbers


_normal_of_means.derivatives(mean=lambda g: 0 * g)
_normal_of_stds.derivatives(std=lambda g: 0 * g)
_normal_of_both.derivatives(mean=lambda g: 0 * g, std=lambda g: 0 * g)


def bernoulli(
    input: Tensor, p: float | Tensor | None = None, *, generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """1 with the probability that `input` says, else 0, in its shape and type.

    With `p`, a number or a tensor, that is the probability, and `input` gives shape and type only.
    Raises RuntimeError for probabilities outside [0, 1].

    >>> _ = torch.manual_seed(0)
    >>> torch.bernoulli(torch.tensor([0.1, 0.5, 0.9]))
    tensor([0., 0., 1.])
    """
    if out is not None:
        return to_out(bernoulli, out, (input, p), {"generator": generator})
    check_tensors("bernoulli", input=input)
    if p is None:
        return _bernoulli_of(input, generator=generator)
    name, chance = chances(p, input._array.shape)
    numbers = np.empty(input._array.shape, input._array.dtype)
    return drawing.new(name, numbers, partial(drawing.bernoulli, p=chance, generator=generator))


@primitive(grad_fn="BernoulliBackward0")
def _bernoulli_of(p: Array, *, generator: Generator | None) -> Array:
    """1 with probability p, else 0"""
    numbers = np.empty(p.shape, p.dtype)
    drawing.bernoulli(numbers, p, generator)
    return numbers


_bernoulli_of.derivatives(p=lambda g: 0 * g)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *,
    generator: Generator | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Draw `num_samples` categories, i with a probability proportional to input[…, i].

    (categories,) -> (num_samples,), (rows, categories) -> (rows, num_samples), of int64. Raises
    RuntimeError for negative or infinite weights, and when more are to be drawn than there are.

    >>> _ = torch.manual_seed(0)
    >>> torch.multinomial(torch.tensor([0.0, 3.0, 1.0]), 2)
    tensor([1, 2])
    """
    if out is not None:
        given = (input, num_samples, replacement)
        return to_out(multinomial, out, given, {"generator": generator})
    check_tensors("multinomial", input=input)
    samples = read_int("multinomial", "num_samples", 2, num_samples)
    if not isinstance(replacement, bool):
        raise TypeError(
            "multinomial(): argument 'replacement' (position 3) must be bool, "
            f"not {type(replacement).__name__}"
        )
    return _multinomial(input, samples=samples, replacement=replacement, generator=generator)


@primitive
def _multinomial(
    weights: Array, *, samples: int, replacement: bool, generator: Generator | None
) -> Array:
    """categories, i with a probability proportional to weights[…, i]"""
    _check_multinomial(weights, samples, replacement)
    if weights.size == 0:
        return np.empty((*weights.shape[:-1], samples), np.int64)
    with_replacement = replacement and samples > 1
    _check_weights(weights, with_replacement)
    stream = drawing.stream_of(generator)
    with stream.lock:
        if with_replacement:
            return distributions.categories_with_replacement(stream, weights, samples)
        return distributions.categories_without_replacement(stream, weights, samples)


def _check_multinomial(weights: Array, samples: int, replacement: bool) -> None:
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if weights.dtype.kind not in dtypes.FLOATS:
        kind = dtypes.from_numpy_dtype(weights.dtype)
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {kind.legacy_name}"
        )
    if samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    categories = weights.shape[-1]
    if not replacement and samples > categories:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if categories > 2**24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    if categories == 0 and 0 not in weights.shape[:-1]:
        raise RuntimeError("cannot sample from no categories")


def _check_weights(weights: Array, with_replacement: bool) -> None:
    negative = not (weights >= 0).all()
    if with_replacement:
        if negative:
            raise RuntimeError(
                "invalid multinomial distribution (encountering probability entry < 0)"
            )
        if not np.isfinite(weights).all():
            raise RuntimeError(
                "invalid multinomial distribution "
                "(encountering probability entry = infinity or NaN)"
            )
    elif negative or not np.isfinite(weights).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(axis=-1) == 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


def rand_like(
    input: Tensor, *, generator: Generator | None = None, memory_format: MemoryFormat = None,
    **options: Unpack[Options],
) -> Tensor:  # fmt: skip
    """Uniform numbers from [0, 1) in the shape, type and layout of `input`."""
    fill = partial(_uniform, generator=generator)
    named = {"memory_format": memory_format, **options}
    return _made_like("rand_like", "uniform", input, fill, named)


def randn_like(
    input: Tensor, *, generator: Generator | None = None, memory_format: MemoryFormat = None,
    **options: Unpack[Options],
) -> Tensor:  # fmt: skip
    """Standard normal numbers in the shape, type and layout of `input`."""
    fill = partial(_standard_normal, generator=generator)
    named = {"memory_format": memory_format, **options}
    return _made_like("randn_like", "normal", input, fill, named)


_RANDINT_LIKE = ("Tensor input, int high", "Tensor input, int low, int high")


@overload
def randint_like(
    input: Tensor, high: int | Tensor, *, generator: Generator | None = None,
    memory_format: MemoryFormat = None, **named: Unpack[Options],
) -> Tensor: ...  # fmt: skip
@overload
def randint_like(
    input: Tensor, low: int | Tensor, high: int | Tensor, *, generator: Generator | None = None,
    memory_format: MemoryFormat = None, **named: Unpack[Options],
) -> Tensor: ...  # fmt: skip
def randint_like(
    input: Tensor, *bounds: Any, generator: Generator | None = None, **named: Any
) -> Tensor:
    """Whole numbers from [low, high) in the shape, type and layout of `input`.

    randint_like(input, high) or randint_like(input, low, high); bounds may be tensors of no
    dimensions. Raises RuntimeError as `randint` does.
    """
    given = bind_from_the_right("randint_like", ("low", "high"), bounds, named, _RANDINT_LIKE)
    fill = _integers("randint_like", given, 2, generator)
    return _made_like("randint_like", "random_from_to", input, fill, named)
