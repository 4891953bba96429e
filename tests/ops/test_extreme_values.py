"""What operations give among NaN, infinities, ties and numbers of more than 63 bits: PyTorch's."""

import pytest
import torch

import tinygrad_mnist

ENGINES = (torch, tinygrad_mnist)
NAN, INF = float("nan"), float("inf")


def same(call):
    """Whether both engines give the same numbers, or raise the same class of error."""
    found = []
    for engine in ENGINES:
        try:
            found.append(repr(call(engine).tolist()))
        except Exception as error:
            found.append(error.__class__)
    return found[0] == found[1] or found


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("row", [[], [NAN], [1, 3, NAN], [1, NAN, NAN, NAN], [-INF, 2, INF]])
def test_places_among_nan(row, right):
    wanted = [[NAN, 2.0, INF, -INF, 3.0, NAN]]
    for name in ("bucketize", "searchsorted"):

        def places(engine, name=name):
            pair = engine.tensor(wanted), engine.tensor([float(n) for n in row])
            return getattr(engine, name)(
                *(pair if name == "bucketize" else pair[::-1]), right=right
            )

        assert same(places) is True


def test_log_gamma_of_infinities():
    numbers = [-INF, INF, NAN, 0.0, -1.0]
    for kind in ("float16", "float32", "float64"):
        assert same(lambda e: e.lgamma(e.tensor(numbers, dtype=getattr(e, kind)))) is True  # noqa: B023


@pytest.mark.parametrize("p", [0.5, 1, 2, 3, INF])
def test_gradient_of_renorm_at_nan(p):
    def gradient(engine):
        x = engine.tensor([[NAN, 1.0], [3.0, 4.0], [0.0, 0.0]], requires_grad=True)
        x.renorm(p, 0, 1.0).sum().backward()
        return (x.grad * 100).round()

    assert same(gradient) is True


def test_which_of_equal_numbers_is_the_kth():
    generator = torch.Generator().manual_seed(0)
    for size in range(1, 24):
        numbers = torch.randint(-1, 3, (3, size), generator=generator).float()
        numbers[numbers == 2] = NAN
        for k in range(1, size + 1, 3):
            for dim, rows in ((1, numbers), (0, numbers.T)):
                given = rows.tolist()
                assert same(lambda e: e.tensor(given).kthvalue(k, dim).indices) is True  # noqa: B023
    assert same(lambda e: e.tensor([0.0, -0.0, 0.0]).kthvalue(1).indices) is True


CALLS = """
    x + n; n - x; x * n; x // n; x / n; x < n; x == n; x & n; x ** n; x.clamp(max=n); x.add_(n);
    e.where(x > 5, x, n); e.full((1,), n); x.fill_(n); x.char() + n; x.masked_fill(x > 0, n)
"""


@pytest.mark.parametrize("call", [call.strip() for call in CALLS.split(";")])
def test_numbers_of_more_than_63_bits(call):
    for n in (2**63, 2**64 - 1, 2**64, -(2**63)):
        assert same(lambda e: eval(call, {"e": e, "n": n, "x": e.tensor([7])})) is True, n  # noqa: B023


def test_quantiles_are_of_float32_and_float64():
    for kind in ("float16", "bfloat16", "float32", "float64", "int64"):
        for name in ("quantile", "nanquantile"):
            assert same(lambda e: getattr(e.ones(3, dtype=getattr(e, kind)), name)(0.5)) is True  # noqa: B023
