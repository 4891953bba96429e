"""Every distribution beside PyTorch's: samples for a seed, densities, gradients, errors, texts."""

import itertools

import numpy as np
import pytest
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)


def vector(*numbers):
    return np.array(numbers, np.float32)


CHANCES, SHARES = vector(0.2, 0.5, 0.9), np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]], np.float32)
MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]], np.float32)
FAMILIES = {
    "Normal": (vector(0, 1, -2), vector(1, 0.5, 2)),
    "Uniform": (vector(0, 1), vector(1, 3)),
    "Exponential": (vector(0.5, 2),),
    "Laplace": (vector(0, 1), vector(1, 2)),
    "Cauchy": (vector(0, 1), vector(1, 2)),
    "Gamma": (vector(0.5, 3), vector(1, 2)),
    "Chi2": (vector(1.5, 4),),
    "StudentT": (vector(3, 5), vector(0, 1), vector(1, 2)),
    "Dirichlet": (np.array([[0.5, 1.5, 3], [2, 1, 1]], np.float32),),
    "Beta": (vector(0.5, 3), vector(2, 1.5)),
    "Bernoulli": (CHANCES,),
    "Geometric": (CHANCES,),
    "Categorical": (SHARES,),
    "OneHotCategorical": (SHARES,),
    "Poisson": (vector(0.5, 3, 20),),
    "Binomial": (5, CHANCES),
    "Multinomial": (6, SHARES),
    "LogNormal": (vector(0, 1), vector(1, 0.5)),
    "Gumbel": (vector(0, 1), vector(1, 2)),
    "HalfNormal": (vector(1, 2),),
    "RelaxedBernoulli": (vector(0.7), CHANCES),
    "MultivariateNormal": (vector(0, 1), MATRIX),
}
APPROXIMATED = ("Beta", "Chi2", "Dirichlet", "Gamma", "StudentT")
"""Whose samples' derivatives PyTorch computes to 3 digits or 4."""


def made(engine, name, gradients=False):
    """The distribution, and its parameters."""
    given = [engine.tensor(each) if isinstance(each, np.ndarray) else each
             for each in FAMILIES[name]]  # fmt: skip
    leaves = [each for each in given if isinstance(each, engine.Tensor)]
    for leaf in leaves:
        leaf.requires_grad_(gradients)
    return getattr(engine.distributions, name)(*given), leaves


def outcome(of, engine):
    """What a function gives on an engine: an array, a text, or the class of an error."""
    engine.manual_seed(5)
    try:
        result = of(engine)
    except (ValueError, NotImplementedError, RuntimeError) as error:
        return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return result.detach().numpy() if isinstance(result, engine.Tensor) else result


def same(of, *, near=2e-5):
    ours, theirs = [outcome(of, engine) for engine in ENGINES]
    if isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_allclose(ours, theirs, rtol=near, atol=near / 10)
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_are_those_of_pytorch(name):
    for method, shape in itertools.product(("sample", "rsample"), ((), (20,), (2, 3))):
        same(lambda t, m=method, s=shape: getattr(made(t, name)[0], m)(s))
    for rest in ("rand", "randn"):
        same(lambda t, r=rest: made(t, name)[0].sample((3,)).sum() * 0 + getattr(t, r)(1))


@pytest.mark.parametrize("name", FAMILIES)
def test_moments_shapes_and_texts_are_those_of_pytorch(name):
    for what in ("mean", "variance", "stddev", "mode"):
        same(lambda t, w=what: getattr(made(t, name)[0], w))
    for what in ("batch_shape", "event_shape"):
        same(lambda t, w=what: tuple(getattr(made(t, name)[0], w)))
    for what in ("has_rsample", "has_enumerate_support"):
        same(lambda t, w=what: getattr(made(t, name)[0], w))
    for wide in ((), (3,)):
        same(lambda t, w=wide: repr(expanded(made(t, name)[0], w)))
    same(lambda t: repr(made(t, name)[0].support))
    for expand in (True, False):
        same(lambda t, e=expand: made(t, name)[0].enumerate_support(e))


def expanded(distribution, wide):
    return distribution.expand((*wide, *distribution.batch_shape))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAMILIES)
def test_densities_and_their_gradients_are_those_of_pytorch(name):
    torch.manual_seed(1)
    value = made(torch, name)[0].sample((4,)).numpy()
    same(lambda t: expanded(made(t, name)[0], (4,)).log_prob(t.tensor(value)))
    same(lambda t: made(t, name)[0].cdf(t.tensor(value)))
    same(lambda t: made(t, name)[0].icdf(t.full(made(t, name)[0].batch_shape, 0.3)))
    for wrong in (value * 0 - 3.7, np.ones((11, 13), np.float32)):
        same(lambda t, w=wrong: made(t, name)[0].log_prob(t.tensor(w)))
    for of in (lambda t, d: d.log_prob(t.tensor(value)), lambda t, d: d.entropy()):
        for engine_of in first_and_second(of, name):
            same(engine_of, near=2e-4)


def first_and_second(of, name):
    """The gradients, of both orders, of the parameters."""

    def order(t, second):
        distribution, leaves = made(t, name, True)
        result = of(t, distribution)
        weights = t.linspace(0.5, 1.5, result.numel()).reshape(result.shape)
        found = t.autograd.grad((result * weights).sum(), leaves, create_graph=second,
                                allow_unused=True)  # fmt: skip
        found = [each for each in found if each is not None]
        if second:
            total = sum((each * each).sum() for each in found)
            if not total.requires_grad:
                return total
            found = t.autograd.grad(total, leaves, allow_unused=True)
            found = [each for each in found if each is not None]
        return t.cat([each.flatten() for each in found])

    return [lambda t, s=second: order(t, s) for second in (False, True)]


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_pass_on_gradients_as_those_of_pytorch(name):
    first, _ = first_and_second(lambda t, d: d.rsample((5,)), name)
    same(first, near=3e-3 if name in APPROXIMATED else 2e-4)


@pytest.mark.parametrize("name", ["Gamma", "Dirichlet"])
def test_second_derivatives_of_samples_are_refused(name):
    of = first_and_second(lambda t, d: d.rsample((5,)), name)[1]
    assert outcome(of, tinygrad_mnist) is NotImplementedError


@pytest.mark.parametrize("name", FAMILIES)
def test_divergences_are_those_of_pytorch(name):
    def divergence(t):
        (p, _), (q, leaves) = made(t, name), made(t, name)
        others = [leaf * 0.9 + 0.05 for leaf in leaves[-1:]]
        if name in ("Categorical", "OneHotCategorical"):
            others = [leaves[0].flip(-1)]
        q = type(q)(*those_before(t, name), *others)
        return t.distributions.kl_divergence(p, q)

    same(divergence, near=1e-4)


def those_before(t, name):
    return [t.tensor(each) if isinstance(each, np.ndarray) else each
            for each in FAMILIES[name][:-1]]  # fmt: skip


def test_what_no_parameter_may_be():
    for of in (
        lambda d, t: d.Normal(0.0, -1.0), lambda d, t: d.Normal("a", 1.0),
        lambda d, t: d.Bernoulli(t.tensor(1.5)), lambda d, t: d.Bernoulli(),
        lambda d, t: d.Bernoulli(t.ones(1), t.ones(1)), lambda d, t: d.Uniform(1.0, 0.0),
        lambda d, t: d.Categorical(t.tensor(0.5)), lambda d, t: d.Normal(0.0, 1.0).log_prob("x"),
        lambda d, t: d.MultivariateNormal(t.zeros(2), -t.eye(2)),
        lambda d, t: d.MultivariateNormal(t.zeros(2), t.eye(2), t.eye(2)),
        lambda d, t: d.Independent(d.Normal(0.0, 1.0), 1),
        lambda d, t: d.kl_divergence(d.Normal(0.0, 1.0), d.Poisson(1.0)),
    ):  # fmt: skip
        same(lambda t, o=of: o(t.distributions, t))


def transformed(t, name):
    maps = t.distributions.transforms
    base = t.distributions.Normal(t.tensor(vector(0, 1)), t.tensor(vector(1, 2)))
    made = {
        "tanh": lambda: [maps.TanhTransform(cache_size=1)],
        "affine": lambda: [maps.AffineTransform(1.0, -2.0)],
        "power": lambda: [maps.ExpTransform(), maps.PowerTransform(t.tensor(0.5))],
        "sigmoid": lambda: [maps.SigmoidTransform(), maps.AffineTransform(0.0, t.ones(2))],
        "softplus": lambda: maps.SoftplusTransform(),
        "abs": lambda: maps.AbsTransform(),
        "composed": lambda: maps.ComposeTransform([maps.ExpTransform(), maps.ExpTransform().inv]),
        "independent": lambda: maps.IndependentTransform(maps.ExpTransform(), 1),
        "vectors": lambda: maps.AffineTransform(t.ones(2), t.ones(2), event_dim=1),
    }[name]()  # fmt: skip
    return t.distributions.TransformedDistribution(base, made)


@pytest.mark.parametrize("name", ["tanh", "affine", "power", "sigmoid", "softplus", "abs",
                                  "composed", "independent", "vectors"])  # fmt: skip
def test_transformed_distributions(name):
    same(lambda t: transformed(t, name).rsample((3,)))
    same(lambda t: transformed(t, name).log_prob(transformed(t, name).sample((3,))), near=1e-4)
    same(lambda t: transformed(t, name).cdf(transformed(t, name).sample((3,))), near=1e-4)
    same(lambda t: transformed(t, name).icdf(t.full((2,), 0.2)), near=1e-4)
    same(lambda t: transformed(t, name).expand((4, 2)[: 2 - (name in ("independent", "vectors"))])
         .sample())  # fmt: skip
    for what in ("support", "transforms"):
        same(lambda t, w=what: repr(getattr(transformed(t, name), w)))


def test_independent_and_mixed():
    def normal(t):
        return t.distributions.Normal(t.tensor(vector(0, 1)), t.tensor(vector(1, 2)))

    def independent(t):
        return t.distributions.Independent(normal(t), 1)

    def mixture(t):
        return t.distributions.MixtureSameFamily(
            t.distributions.Categorical(t.tensor(vector(0.3, 0.7))), normal(t)
        )

    for of in (independent, mixture):
        same(lambda t, o=of: repr(o(t)))
        same(lambda t, o=of: repr(o(t).support))
        same(lambda t, o=of: o(t).expand((4, *o(t).batch_shape)).sample((6,)))
        same(lambda t, o=of: o(t).log_prob(o(t).sample((3,))))
        for what in ("mean", "variance"):
            same(lambda t, o=of, w=what: getattr(o(t), w))
    same(lambda t: mixture(t).cdf(t.ones(3)))
    same(lambda t: t.distributions.kl_divergence(independent(t), independent(t)))


def test_a_class_of_one_s_own():
    def own(t):
        class Ramp(t.distributions.Distribution):
            arg_constraints = {"slope": t.distributions.constraints.positive}  # noqa: RUF012
            support = t.distributions.constraints.real
            has_rsample = True

            def __init__(self, slope, validate_args=None):
                self.slope = slope
                super().__init__(slope.shape, validate_args=validate_args)

            def log_prob(self, value):
                self._validate_sample(value)
                return value * self.slope

            def rsample(self, sample_shape=()):
                return self.slope.expand(self._extended_shape(sample_shape))

        ramp = Ramp(t.ones(2))
        return ramp.log_prob(t.ones(2)) + ramp.sample((3,))

    same(own)


@pytest.mark.filterwarnings("ignore:compile. ")
def test_compiled_as_uncompiled():
    mean = tinygrad_mnist.zeros(3, requires_grad=True)
    x = tinygrad_mnist.tensor(vector(1, 2, 3))

    def loss(x):
        total = -tinygrad_mnist.distributions.Normal(mean, 2.0, validate_args=False).log_prob(x)
        total.sum().backward()
        return total.detach()

    step = tinygrad_mnist.compile(loss)
    for _ in range(2):
        mean.grad = None
        np.testing.assert_allclose(step(x).numpy(), [1.7370857, 2.1120858, 2.7370858], 1e-6)
        np.testing.assert_allclose(mean.grad.numpy(), [-0.25, -0.5, -0.75], 1e-6)
