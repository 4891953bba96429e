"""Every tensor prints the text that PyTorch prints for it, whatever the options."""

import inspect
import math
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_mnist
from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import printing
from tinygrad_mnist._tensor.printing import format_tensor, parameter_repr

DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")
SPECIAL_FLOATS = [
    *(0.0, -0.0, math.nan, math.inf, -math.inf),
    *(1.0, -1.0, 2.0, 1000.0, 1001.0, -1000.5, 0.5, 1 / 3, 2.5, 0.99995, -0.00004),
    *(1e-4, 9.99e-5, 1e-5, 1e8, 1.00000001e8, 1e7, 16777217.0, 1e-40, 1e-45, 3.4e38, 123456.789),
]
SPECIAL_INTEGERS = [0, 1, -1, 7, 10, 255, -100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]


def draw_numbers(name, dtype, size, rng):
    """`size` numbers of one character, cut to what `dtype` holds."""
    if dtype == "bool":
        return rng.random(size) < 0.5
    if np.dtype(dtype).kind != "f":
        limits = np.iinfo(dtype)
        if name == "special":
            fitting = [each for each in SPECIAL_INTEGERS if limits.min <= each <= limits.max]
            return rng.choice(np.array(fitting, dtype=dtype), size)
        bound = min(limits.max, 10 ** int(rng.integers(1, 18)))
        return rng.integers(max(limits.min, -bound), bound, size, endpoint=True)
    if name == "special":
        return rng.choice(rng.choice(SPECIAL_FLOATS, 4), size)
    if name == "whole":
        return np.round(rng.normal(size=size) * 10.0 ** rng.integers(0, 9))
    if name == "wide":
        return rng.normal(size=size) * 10.0 ** rng.integers(-9, 10, size)
    return rng.normal(size=size) * 10.0 ** rng.integers(-6, 10)


@st.composite
def arrays(draw, max_dims=4, max_side=9):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=max_side))
    dtype = draw(st.sampled_from(DTYPES))
    name = draw(st.sampled_from(("special", "whole", "wide", "normal")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return draw_numbers(name, dtype, math.prod(shape), rng).astype(dtype).reshape(shape)


print_options = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 9),
        "threshold": st.sampled_from((0, 5, 20, 100, math.inf)),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.integers(1, 130),
        "profile": st.sampled_from(("default", "short", "full", "unknown")),
        "sci_mode": st.sampled_from((None, True, False)),
    },
)


@contextmanager
def both_printing_with(**options):
    with torch._tensor_str.printoptions(**options), printing.printoptions(**options):
        yield


@contextmanager
def both_defaulting_to(name):
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    dtypes.set_default_dtype(getattr(dtypes, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        dtypes.set_default_dtype(dtypes.float32)


def torch_text(array):
    return repr(torch.from_numpy(array.copy()))


@settings(max_examples=400, deadline=None)
@given(array=arrays())
def test_any_array_prints_as_in_pytorch(array):
    assert format_tensor(array) == torch_text(array)


@settings(max_examples=400, deadline=None)
@given(array=arrays(), options=print_options)
def test_any_options_print_as_in_pytorch(array, options):
    with both_printing_with(**options):
        assert format_tensor(array) == torch_text(array)


@settings(max_examples=300, deadline=None)
@given(
    number=st.one_of(
        st.floats(),
        st.floats(width=32),
        st.integers(-(2**53), 2**53).map(float),
        st.sampled_from(SPECIAL_FLOATS),
    ),
    dtype=st.sampled_from(("float32", "float64")),
)
def test_any_number_prints_as_in_pytorch(number, dtype):
    with np.errstate(over="ignore"):
        array = np.array(number).astype(dtype)
    assert format_tensor(array) == torch_text(array)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from(((1001,), (7, 150), (1001, 1), (1, 2000), (12, 10, 9), (2, 3, 170))),
    dtype=st.sampled_from(DTYPES),
    name=st.sampled_from(("special", "whole", "wide", "normal")),
    seed=st.integers(0, 2**32),
)
def test_what_is_too_large_is_summarised_as_in_pytorch(shape, dtype, name, seed):
    numbers = draw_numbers(name, dtype, math.prod(shape), np.random.default_rng(seed))
    array = numbers.astype(dtype).reshape(shape)
    assert format_tensor(array) == torch_text(array)


@settings(max_examples=300, deadline=None)
@given(
    array=arrays(max_dims=2),
    linewidth=st.integers(10, 100),
    requires_grad=st.booleans(),
    multiplied=st.booleans(),
)
@example(array=np.zeros((0, 3), "float64"), linewidth=40, requires_grad=True, multiplied=True)
def test_suffixes_are_folded_as_in_pytorch(array, linewidth, requires_grad, multiplied):
    reference = torch.from_numpy(array.copy())
    suffixes = []
    if requires_grad and reference.is_floating_point():
        reference.requires_grad_()
        suffixes = ["requires_grad=True"]
        if multiplied:
            reference = reference * 1
            suffixes = ["grad_fn=<MulBackward0>"]
    with both_printing_with(linewidth=linewidth):
        assert format_tensor(array, suffixes=suffixes) == repr(reference)


@pytest.mark.parametrize("default", ["float32", "float64"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (2,), (0,), (0, 3), (2, 0)])
def test_the_type_is_named_unless_it_is_obvious(default, dtype, shape):
    array = np.ones(shape, dtype)
    with both_defaulting_to(default):
        assert format_tensor(array) == torch_text(array)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([1.0, 2.5], "tensor([1.0000, 2.5000])"),
        ([1.0, 2.0], "tensor([1., 2.])"),
        ([-0.0, 1.0], "tensor([-0., 1.])"),
        ([1e7], "tensor([10000000.])"),
        ([1e8], "tensor([100000000.])"),
        ([2e8], "tensor([2.0000e+08])"),
        ([1.0, 1000.0], "tensor([   1., 1000.])"),
        ([1.0, 1001.0], "tensor([1.0000e+00, 1.0010e+03])"),
        ([0.0, 0.0], "tensor([0., 0.])"),
        ([math.nan, math.inf, -math.inf], "tensor([nan, inf, -inf])"),
        ([1.0, math.nan, -math.inf], "tensor([1., nan, -inf])"),
        ([100.0, math.nan, -math.inf], "tensor([100.,  nan, -inf])"),
        ([0.5, math.nan], "tensor([0.5000,    nan])"),
        ([1e-5], "tensor([1.0000e-05])"),
        ([1e-4], "tensor([1.0000e-04])"),
        ([1.001e-4], "tensor([0.0001])"),
        ([], "tensor([])"),
    ],
)
def test_hard_cases_written_out(numbers, text):
    array = np.array(numbers, "float32")
    assert format_tensor(array) == torch_text(array) == text


def test_a_summary_is_formatted_by_what_it_shows():
    hidden = np.ones(2000, "float32")
    hidden[1000] = 1e-20
    assert format_tensor(hidden) == "tensor([1., 1., 1.,  ..., 1., 1., 1.])" == torch_text(hidden)


def test_only_what_is_shown_is_read():
    # A quarter of an exabyte, of which one element is stored.
    large = np.broadcast_to(np.float32(0.5), (2**28, 2**28))
    assert "..., 0.5000, 0.5000, 0.5000],\n" in format_tensor(large)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.broadcast_to(np.arange(3), (4, 3)),
        np.arange(10, dtype="int32")[::-3],
        np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    ],
    ids=["transposed", "expanded", "reversed", "column by column"],
)
def test_strides_do_not_matter(array):
    assert format_tensor(array) == torch_text(array)


def test_signalling_nan_raises_no_warning():
    signalling = np.array([0x7FA00000, 0x3F800000], "uint32").view("float32")
    assert format_tensor(signalling) == "tensor([nan, 1.])" == torch_text(signalling)


def test_options_have_pytorchs_signature_and_defaults():
    ours = inspect.signature(printing.set_printoptions).parameters.values()
    theirs = inspect.signature(torch.set_printoptions).parameters.values()
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]
    assert printing.get_printoptions() == torch._tensor_str.get_printoptions()


@settings(max_examples=100, deadline=None)
@given(first=print_options, second=print_options)
def test_options_accumulate_as_in_pytorch(first, second):
    with both_printing_with(**first):
        torch.set_printoptions(**second)
        printing.set_printoptions(**second)
        assert printing.get_printoptions() == torch._tensor_str.get_printoptions()
    assert printing.get_printoptions() == torch._tensor_str.get_printoptions()


def test_options_return_when_the_block_fails():
    before = printing.get_printoptions()
    with pytest.raises(KeyError), printing.printoptions(precision=1, sci_mode=True):
        raise KeyError
    assert printing.get_printoptions() == before


def test_unlimited_lines_fail_as_in_pytorch():
    array = np.ones(3)
    with both_printing_with(linewidth=math.inf):
        with pytest.raises(OverflowError) as theirs:
            torch_text(array)
        with pytest.raises(OverflowError) as ours:
            format_tensor(array)
    assert str(ours.value) == str(theirs.value)


ENGINES = (tinygrad_mnist, torch)


def both_texts(make):
    """What `make(engine)` prints, by ours and by PyTorch."""
    ours, theirs = (make(engine) for engine in ENGINES)
    return repr(ours), repr(theirs)


@settings(max_examples=150, deadline=None)
@given(array=arrays(), options=print_options)
def test_any_tensor_prints_as_in_pytorch(array, options):
    with both_printing_with(**options):
        ours = tinygrad_mnist.from_numpy(array)
        theirs = torch.from_numpy(array)
        assert repr(ours) == str(ours) == repr(theirs)


@pytest.mark.parametrize(
    "make",
    [
        lambda engine: engine.ones(2, requires_grad=True),
        lambda engine: engine.ones(2, requires_grad=True) * 2,
        lambda engine: (engine.ones(2, requires_grad=True) * 2).detach(),
        lambda engine: engine.ones(2, 3, requires_grad=True).sum(),
        lambda engine: engine.zeros(0, 3, requires_grad=True, dtype=engine.float64) + 1,
        lambda engine: engine.zeros(20, requires_grad=True).exp(),
        lambda engine: engine.zeros(40, 40, requires_grad=True) - 0.5,
        lambda engine: engine.arange(3),
        lambda engine: engine.tensor([True, False]),
        lambda engine: engine.tensor(3, dtype=engine.uint8),
        lambda engine: engine.ones(3, 2).shape,
        lambda engine: [engine.tensor(1.5), engine.float64],
    ],
)
def test_what_a_tensor_is_part_of_prints_as_in_pytorch(make):
    ours, theirs = both_texts(make)
    assert ours == theirs


def test_set_printoptions_is_public():
    assert tinygrad_mnist.set_printoptions is printing.set_printoptions


def test_contents_can_be_given():
    ours, theirs = (
        engine.ones(2, dtype=engine.float64).__repr__(tensor_contents="[two ones]")
        for engine in ENGINES
    )
    assert ours == theirs == "tensor([two ones], dtype=torch.float64)"


def test_a_subclass_prints_under_its_own_name():
    def subclass(engine):
        class Weights(engine.Tensor):
            pass

        return Weights

    numbers = [0.1 * i for i in range(24)]
    ours, theirs = (subclass(engine)(numbers) for engine in ENGINES)
    assert repr(ours) == repr(theirs)
    assert repr(ours).startswith("Weights([")


@pytest.mark.parametrize("spec", [".2f", "d"])
def test_a_number_of_a_subclass_takes_no_format_specification(spec):
    def refused(engine):
        class Weights(engine.Tensor):
            pass

        weight = Weights(engine.tensor(1.0))
        assert f"{weight}" == "Weights(1.)"
        with pytest.raises(TypeError) as error:
            format(weight, spec)
        return str(error.value)

    ours, theirs = map(refused, ENGINES)
    assert ours == theirs


@pytest.mark.parametrize("number", [1.5, 3, True])
@pytest.mark.parametrize("spec", ["", ".3f", ">8", "d", "e", "%", "x", "zz"])
def test_a_number_follows_a_format_specification(number, spec):
    def formatted(engine):
        try:
            return format(engine.tensor(number), spec)
        except ValueError as error:
            return str(error)

    ours, theirs = map(formatted, ENGINES)
    assert ours == theirs


@pytest.mark.parametrize("subclassed", [False, True])
@pytest.mark.parametrize("shape", [(), (2,), (20, 20), (0, 3)])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_parameter_prints_as_in_pytorch(subclassed, shape, requires_grad):
    class Parameter(tinygrad_mnist.Tensor):
        __repr__ = parameter_repr

    class Gain(Parameter):
        pass

    class TorchGain(torch.nn.Parameter):
        pass

    TorchGain.__name__ = "Gain"
    our_class = Gain if subclassed else Parameter
    their_class = TorchGain if subclassed else torch.nn.Parameter
    ours = our_class(tinygrad_mnist.ones(shape)).requires_grad_(requires_grad)
    theirs = their_class(torch.ones(shape), requires_grad=requires_grad)
    assert repr(ours) == str(ours) == repr(theirs)


def test_a_number_with_a_record_formats_as_a_number():
    assert f"{tinygrad_mnist.ones(1, requires_grad=True).sum():.3f}" == "1.000"


@pytest.mark.parametrize("shape", [(1,), (0,), (2, 3)])
def test_more_than_a_number_takes_no_format_specification(shape):
    ours, theirs = (engine.ones(shape) for engine in ENGINES)
    assert f"{ours}" == f"{theirs}"
    with pytest.raises(TypeError) as our_error:
        f"{ours:.3f}"
    with pytest.raises(TypeError) as their_error:
        f"{theirs:.3f}"
    assert str(our_error.value) == str(their_error.value)
