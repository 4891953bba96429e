"""The streams of random numbers are PyTorch's, number for number and state for state."""

import contextlib
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by
from tinygrad_mnist.kernels import random_numbers as distributions
from tinygrad_mnist.kernels.random_numbers import DEFAULT_SEED, STATE_BYTES, Stream, multiply_add

SEEDS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63]))
SIZES = st.one_of(st.integers(0, 70), st.sampled_from([623, 624, 625, 4096, 32768, 32769, 70000]))
FLOATS = st.sampled_from(["float32", "float64"])
ALL_DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.fixture(autouse=True, scope="module", params=TWINS)
def twin(request):
    with computed_by(request.param):
        yield


def both(seed):
    return Stream(seed), torch.Generator().manual_seed(seed)


def assert_same(stream, array, generator, tensor):
    np.testing.assert_array_equal(array, tensor.numpy())
    np.testing.assert_array_equal(stream.state(), generator.get_state().numpy())


def assert_filled_alike(seed, dtype, size, fill, torch_fill):
    """Twice in a row: what the first call leaves in the stream counts for the second."""
    stream, generator = both(seed)
    for _ in range(2):
        out = np.empty(size, dtype)
        fill(stream, out)
        expected = torch_fill(torch.empty(size, dtype=getattr(torch, dtype)), generator)
        assert_same(stream, out, generator, expected)


def test_new_streams_start_where_pytorchs_do():
    assert torch.Generator().initial_seed() == DEFAULT_SEED
    np.testing.assert_array_equal(Stream().state(), torch.Generator().get_state().numpy())


@given(SEEDS, FLOATS, SIZES)
def test_uniform(seed, dtype, size):
    assert_filled_alike(
        seed, dtype, size, distributions.uniform, lambda t, g: t.uniform_(generator=g)
    )


bounds = st.tuples(
    st.one_of(st.floats(-1e3, 1e3), st.floats(-1e30, 1e30)), st.floats(0, 1e20), FLOATS
)


@given(SEEDS, bounds)
@example(0, (-1 / 28, 2 / 28, "float64"))
@example(0, (2251799811063298.0, 65.0, "float64"))
@example(0, (1.0, 1e-6, "float32"))
def test_uniform_between(seed, bounds):
    low, length, dtype = bounds
    high = low + length
    assert_filled_alike(
        seed,
        dtype,
        1000,
        lambda s, out: distributions.uniform(s, out, low, high),
        lambda t, g: t.uniform_(low, high, generator=g),
    )


@given(SEEDS, FLOATS, SIZES, st.sampled_from([(0.0, 1.0), (0.5, 1.3), (-7.0, 0.0), (1e-3, 1e5)]))
def test_normal(seed, dtype, size, moments):
    assert_filled_alike(
        seed,
        dtype,
        size,
        lambda s, out: distributions.normal(s, out, *moments),
        lambda t, g: t.normal_(*moments, generator=g),
    )


def test_normal_over_a_million_numbers():
    stream, generator = both(2147483647)
    out = np.empty(1 << 20, np.float32)
    distributions.normal(stream, out)
    np.testing.assert_array_equal(out, torch.randn(1 << 20, generator=generator).numpy())


@given(SEEDS, st.lists(st.tuples(FLOATS, st.integers(0, 40), st.booleans()), max_size=6))
def test_one_spare_normal_number_serves_both_types(seed, calls):
    stream, generator = both(seed)
    for dtype, size, strided in calls:
        step = 2 if strided else 1
        out = np.empty(size * step, dtype)[::step]
        distributions.normal(stream, out)
        expected = torch.empty(size * step, dtype=getattr(torch, dtype))[::step]
        assert_same(stream, out, generator, expected.normal_(generator=generator))


def test_seeding_again_forgets_the_spare_number():
    stream, generator = both(5)
    distributions.normal(stream, np.empty(1))
    stream.reseed(6)
    np.testing.assert_array_equal(stream.state(), generator.manual_seed(6).get_state().numpy())


continuous = {
    "exponential": (distributions.exponential, torch.Tensor.exponential_, (1.7,)),
    "cauchy": (distributions.cauchy, torch.Tensor.cauchy_, (0.4, 1.3)),
    "log_normal": (distributions.log_normal, torch.Tensor.log_normal_, (0.4, 1.3)),
    "geometric": (distributions.geometric, torch.Tensor.geometric_, (0.3,)),
}


@pytest.mark.parametrize("name", continuous)
@given(SEEDS, FLOATS, SIZES)
@settings(max_examples=20)
def test_other_distributions(name, seed, dtype, size):
    fill, torch_fill, parameters = continuous[name]
    assert_filled_alike(
        seed,
        dtype,
        size,
        lambda s, out: fill(s, out, *parameters),
        lambda t, g: torch_fill(t, *parameters, generator=g),
    )


@given(
    SEEDS,
    st.sampled_from(["int64", "int32", "uint8", "bool"]),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(1, 2**63),
    SIZES,
)
@example(0, "int64", 0, 2**28 - 1, 5)
@example(0, "int64", 0, 2**28, 5)
@example(0, "int32", -(2**31), 2**28, 5)
@example(0, "int64", -(2**63), 2**63, 5)
def test_integers(seed, dtype, low, count, size):
    limits = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low = max(limits[0], low % (limits[1] + 1))
    count = min(count, int(limits[1]) + 1 - low, 2**63 - 1 - low)
    if count < 1:
        return
    assert_filled_alike(
        seed,
        dtype,
        size,
        lambda s, out: distributions.integers(s, out, low, count),
        lambda t, g: t.random_(low, low + count, generator=g),
    )


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_integers_of_all_64_bits(dtype):
    assert_filled_alike(
        1,
        dtype,
        1000,
        lambda s, out: distributions.integers(s, out, 0, 2**64),
        lambda t, g: t.random_(-(2**63), None, generator=g),
    )


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@given(SEEDS, SIZES)
@settings(max_examples=20)
def test_whole_range(dtype, seed, size):
    assert_filled_alike(
        seed, dtype, size, distributions.whole_range, lambda t, g: t.random_(generator=g)
    )


def mkl_draws_bernoulli():
    """Whether PyTorch draws from MKL's stream: where it is built with it, on Intel's processors."""
    generator = torch.Generator().manual_seed(0)
    torch.empty(100).bernoulli_(0.5, generator=generator)
    words_drawn = int(generator.get_state()[16:24].view(torch.int64))
    return words_drawn != 200


@given(SEEDS, st.sampled_from(ALL_DTYPES), SIZES, st.floats(0, 1))
def test_bernoulli_of_a_number(seed, dtype, size, p):
    if mkl_draws_bernoulli():
        pytest.skip("PyTorch draws from MKL's stream here: an Intel processor and a build with MKL")
    assert_filled_alike(
        seed,
        dtype,
        size,
        lambda s, out: distributions.bernoulli(s, out, p),
        lambda t, g: t.bernoulli_(p, generator=g),
    )


@given(SEEDS, st.sampled_from(ALL_DTYPES), FLOATS, SIZES)
def test_bernoulli_of_an_array(seed, dtype, p_dtype, size):
    p = torch.linspace(0, 1, size, dtype=getattr(torch, p_dtype))
    assert_filled_alike(
        seed,
        dtype,
        size,
        lambda s, out: distributions.bernoulli(s, out, p.numpy()),
        lambda t, g: t.bernoulli_(p, generator=g),
    )


fills = {
    "uniform": (distributions.uniform, torch.Tensor.uniform_),
    "normal": (distributions.normal, torch.Tensor.normal_),
    "random": (distributions.whole_range, torch.Tensor.random_),
    "bernoulli": (
        lambda s, out: distributions.bernoulli(s, out, np.full(out.shape, 0.5)),
        lambda t, generator: t.bernoulli_(
            torch.full(t.shape, 0.5, dtype=torch.float64), generator=generator
        ),
    ),
}


@pytest.mark.parametrize("name", fills)
@given(st.data(), st.lists(st.integers(0, 4), max_size=4), FLOATS)
@settings(max_examples=40)
def test_views_are_filled_in_the_order_of_memory(name, data, shape, dtype):
    order = data.draw(st.permutations(range(len(shape))))
    steps = [data.draw(st.integers(1, 2)) for _ in shape]
    base = np.zeros([length * step for length, step in zip(shape, steps, strict=True)], dtype)
    taken = (..., *(slice(None, None, step) for step in steps))
    out = base[taken].transpose(order)
    tensor = torch.from_numpy(base.copy())[taken].permute(order)
    stream, generator = both(7)
    fill, torch_fill = fills[name]
    fill(stream, out)
    assert_same(stream, out, generator, torch_fill(tensor, generator=generator))


@given(SEEDS, st.integers(0, 300))
@example(0, 60000)
@example(3, 65535)
@example(3, 65536)
@example(3, 65537)
@example(1, 300000)
def test_permutation(seed, length):
    stream, generator = both(seed)
    result = distributions.permutation(stream, length)
    assert_same(stream, result, generator, torch.randperm(length, generator=generator))


weights = st.tuples(st.integers(1, 5), st.integers(1, 40), FLOATS, st.booleans())


@given(SEEDS, weights, st.integers(1, 40))
def test_multinomial(seed, weights, samples):
    rows, categories, dtype, fortran = weights
    drawn = np.random.default_rng(seed).random((rows, categories)).astype(dtype)
    w = np.asfortranarray(drawn) if fortran else drawn
    stream, generator = both(seed)
    fewer = min(samples, categories)
    result = distributions.categories_without_replacement(stream, w, fewer)
    expected = torch.multinomial(torch.from_numpy(w), fewer, generator=generator)
    assert_same(stream, result, generator, expected)
    result = distributions.categories_with_replacement(stream, w, samples + 1)
    expected = torch.multinomial(torch.from_numpy(w), samples + 1, True, generator=generator)
    assert_same(stream, result, generator, expected)


draws = st.lists(
    st.sampled_from(["words", "normal", "permutation", "reseed"]), min_size=1, max_size=5
)


@given(SEEDS, draws, st.integers(0, 700))
def test_states_are_exchanged_both_ways(seed, draws, count):
    stream, generator = both(seed)
    for name in draws:
        if name == "words":
            stream.words(count)
        elif name == "normal":
            distributions.normal(stream, np.empty(count % 15))
        elif name == "permutation":
            distributions.permutation(stream, count)
        else:
            stream.reseed(seed)
    state = stream.state()
    assert state.dtype == np.uint8
    assert state.shape == (STATE_BYTES,)
    generator.set_state(torch.from_numpy(state))
    np.testing.assert_array_equal(generator.get_state().numpy(), state)
    torch.empty(3).normal_(generator=generator)
    back = Stream()
    back.restore(generator.get_state().numpy())
    out = np.empty(30)[::2]
    distributions.normal(back, out)
    expected = torch.empty(30, dtype=torch.float64)[::2].normal_(generator=generator)
    assert_same(back, out, generator, expected)


def test_the_unused_float_sample_survives():
    state = Stream(3).state()
    state[5048:5053] = [0, 0, 128, 63, 1]
    stream = Stream()
    stream.restore(state)
    np.testing.assert_array_equal(stream.state(), state)


@pytest.mark.parametrize(
    ("first", "value"), [(12, 0), (8, 0), (8, 200), (16, 200)], ids=["seeded", "0", "left", "next"]
)
def test_impossible_states_are_refused(first, value):
    state = Stream(3).state()
    if value == 200:
        stream = Stream(3)
        stream.words(10)
        state = stream.state()
    state[first] = value
    untouched = Stream(9)
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        untouched.restore(state)
    np.testing.assert_array_equal(untouched.state(), Stream(9).state())


float64s = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(
    st.lists(st.floats(-8, 8), min_size=1, max_size=8),
    st.one_of(st.floats(-100, 100), float64s),
    st.one_of(st.floats(-100, 100), float64s),
)
def test_multiply_add_rounds_once(xs, y, z):
    from fractions import Fraction

    with np.errstate(all="ignore"):
        result = multiply_add(np.array(xs), y, z)
    for x, computed in zip(xs, result.tolist(), strict=True):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        with contextlib.suppress(OverflowError):
            expected = float(exact)
            if expected == 0 or abs(expected) > 1e-290:
                assert computed == expected


def test_normal_blocks_cover_the_corners_of_the_square():
    """The least and the greatest uniform numbers, where logarithm and sine are most delicate."""
    corners = np.array([0, 1, 2**23, 2**24 - 1], np.float64) * 2.0**-24
    u1, u2 = np.meshgrid(corners, corners)
    blocks = np.stack([u1.reshape(-1, 8), u2.reshape(-1, 8)], axis=1)
    result = distributions.normal_blocks(blocks.astype(np.float32).reshape(-1), 0, 1)
    radius = np.sqrt(-2 * np.log1p(-blocks[:, 0]))
    theta = 2 * math.pi * blocks[:, 1]
    exact = np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=1)
    np.testing.assert_allclose(result.reshape(exact.shape), exact, rtol=1e-6, atol=1e-5)
