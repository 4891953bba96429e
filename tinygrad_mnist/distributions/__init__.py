"""`torch.distributions`: distributions of random numbers, with densities, samples and gradients.

Samples are PyTorch's numbers for a seed. Each family is a class that says its parameters with
their constraints, and its formulas; `distribution.py` does what all have in common.

>>> from tinygrad_mnist.distributions import Normal
>>> Normal(0.0, 1.0).log_prob(torch.tensor(0.0))
tensor(-0.9189)
"""

from __future__ import annotations

from tinygrad_mnist.names import lazily, read_table

_PLACES = {
    "combined": """
        Gumbel HalfNormal Independent LogNormal MixtureSameFamily MultivariateNormal
        RelaxedBernoulli TransformedDistribution""",
    "continuous": """
        Beta Cauchy Chi2 Dirichlet Exponential Gamma Laplace Normal StudentT Uniform""",
    "discrete": """
        Bernoulli Binomial Categorical Geometric Multinomial OneHotCategorical Poisson""",
    "distribution": "Distribution ExponentialFamily",
    "kl": "kl_divergence register_kl",
    "transforms": """
        AbsTransform AffineTransform ComposeTransform ExpTransform IndependentTransform
        PowerTransform SigmoidTransform SoftplusTransform TanhTransform Transform
        identity_transform""",
}
_NAMES = read_table({f"distributions.{file}": names for file, names in _PLACES.items()})

__getattr__, __dir__ = lazily(__name__, _NAMES, ("constraints", "kl", "transforms", "utils"))
