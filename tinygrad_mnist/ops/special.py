"""`torch.special`: functions that statistics needs, by SciPy, with their derivatives.

>>> torch.special.gammaln(torch.tensor([0.5, 3.0]))
tensor([0.5724, 0.6931])
>>> torch.special.ndtr(torch.tensor(0.0))
tensor(0.5000)
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import Primitive, no_derivative, primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.names import unsupported

from .arguments import check_some_tensor, operation
from .arithmetic import sign
from .casting import cast_to
from .conditional import where
from .elementwise import (
    composed,
    elementwise,
    erf,
    erfc,
    exp,
    exp2,
    expm1,
    log,
    log1p,
    logit,
    of_tensors,
    round,
    sinc,
    xlogy,
)
from .elementwise import sigmoid as expit
from .reductions import logsumexp
from .softmax import log_softmax, softmax

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc",
    "gammaincc", "gammaln", "i0", "i0e", "i1", "i1e", "log1p", "log_ndtr", "log_softmax", "logit",
    "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round", "sinc", "softmax",
    "xlog1py", "xlogy", "zeta",
]  # fmt: skip


def _scipy(name: str, inputs: int = 1) -> Any:
    """A function of SciPy's, imported when it is first called."""

    def found() -> Any:
        return getattr(importlib.import_module("scipy.special"), name)

    if inputs == 1:
        return lambda input: found()(input)
    return lambda input, other: found()(input, other)


_ROOT = math.sqrt(2 * math.pi)


def _log_gamma(input: Any) -> Any:
    found = _scipy("gammaln")(input)
    return np.where(np.isneginf(input), np.inf, found)


_lgamma: Primitive = elementwise("lgamma", "ln |Γ(x)|", _log_gamma,
                                 input=lambda g, input: g * _digamma(input))  # fmt: skip
lgamma = of_tensors(_lgamma)
_digamma: Primitive = elementwise("digamma", "Γ′(x) / Γ(x)", _scipy("psi"),
                                  input=lambda g, input: g * _derivative(input, 1))  # fmt: skip
digamma = of_tensors(_digamma)
erfinv = of_tensors(elementwise("erfinv", "the number whose erf is x", _scipy("erfinv"),
    input=lambda g, out: g * (math.sqrt(math.pi) / 2) * exp(out * out)))  # fmt: skip
erfcx = of_tensors(elementwise("special_erfcx", "e^(x²) · erfc(x)", _scipy("erfcx"),
    input=lambda g, input, out: g * (2 * input * out - 2 / math.sqrt(math.pi))))  # fmt: skip
_i0: Primitive = elementwise("i0", "I₀(x), the Bessel function", _scipy("i0"),
                             input=lambda g, input: g * _i1(input))  # fmt: skip
_i1: Primitive = elementwise("special_i1", "I₁(x), the Bessel function", _scipy("i1"),
    input=lambda g, input, out: g * (_i0(input) - _over_x(out, input)))  # fmt: skip
_i0e: Primitive = elementwise("special_i0e", "e^(−|x|) · I₀(x)", _scipy("i0e"),
    input=lambda g, input, out: g * (_i1e(input) - sign(input) * out))  # fmt: skip
_i1e: Primitive = elementwise("special_i1e", "e^(−|x|) · I₁(x)", _scipy("i1e"),
    input=lambda g, input, out: g * (
        _i0e(input) - sign(input) * out - _over_x(out, input)))  # fmt: skip
i0 = of_tensors(_i0)
i0e, i1, i1e = of_tensors(_i0e), of_tensors(_i1), of_tensors(_i1e)
ndtri = of_tensors(elementwise("special_ndtri", "the number whose ndtr is x", _scipy("ndtri"),
    input=lambda g, out: g * _ROOT * exp(out * out / 2)))  # fmt: skip
log_ndtr = of_tensors(elementwise(
    "special_log_ndtr", "ln of the normal distribution's share below x", _scipy("log_ndtr"),
    input=lambda g, input, out: g * exp(-input * input / 2 - out) / _ROOT,
))  # fmt: skip
entr = of_tensors(elementwise("special_entr", "−x ln x", _scipy("entr"),
                              input=lambda g, input: g * (-log(input) - 1)))  # fmt: skip
ndtr = composed("ndtr", "The share of the normal distribution below x: erfc(−x / √2) / 2",
                lambda input: erfc(input * -math.sqrt(0.5)) / 2, "MulBackward1")  # fmt: skip


def _derivative(x: Any, n: int) -> Any:
    return _polygamma(x, n=n)


def _over_x(value: Any, x: Any) -> Any:
    """I₁(x) / x, whose limit at 0 is ½."""
    zero = x == 0
    return where(zero, 0.5, value / where(zero, 1.0, x))


@primitive(promotion=dtypes.promote_to_floating, grad_fn="PolygammaBackward0")
def _polygamma(input: Array, *, n: int) -> Any:
    """the derivative number n of Γ′(x) / Γ(x)"""
    special = importlib.import_module("scipy.special")
    return special.polygamma(n, input).astype(input.dtype)


_polygamma.derivatives(input=lambda g, input, n: g * _polygamma(input, n=n + 1))


def polygamma(n: Any, input: Any) -> Tensor:
    """The derivative number `n` of `digamma`.

    >>> torch.polygamma(1, torch.tensor(1.0))
    tensor(1.6449)
    """
    if not isinstance(n, int):
        n, input = input, n  # the method: x.polygamma(n)
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    out: Tensor = _polygamma.public(input, n=n)
    return out


@operation
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """ln of the gamma function of `p` variables: Σ lgamma(x − i / 2), and p (p − 1) / 4 · ln π."""
    x = cast_to(input, dtypes.to_floating(input.dtype))
    shifts = [lgamma(x - i / 2) for i in range(p)]
    out = sum(shifts[1:], shifts[0]) + p * (p - 1) / 4 * math.log(math.pi)
    return named_as(out, "MvlgammaBackward0")


def _gamma_density(g: Any, a: Any, x: Any) -> Any:
    return g * exp((a - 1) * log(x) - x - _lgamma(a))


_igamma = elementwise("igamma", "∫₀ʸ t^(x − 1) e^(−t) dt / Γ(x)", _scipy("gammainc", 2),
                      input=no_derivative("igamma: input"),
                      other=lambda g, input, other: _gamma_density(g, input, other))  # fmt: skip
_igammac = elementwise("igammac", "1 − igamma(x, y)", _scipy("gammaincc", 2),
                       input=no_derivative("igammac: input"),
                       other=lambda g, input, other: _gamma_density(-g, input, other))  # fmt: skip
igamma = of_tensors(_igamma)
igammac = of_tensors(_igammac)
_zeta: Primitive = elementwise("special_zeta", "Σ 1 / (k + y)ˣ", _scipy("zeta", 2),
    input=no_derivative("zeta"),
    other=lambda g, input, other: g * -input * _zeta(input + 1, other))  # fmt: skip


def _two(name: str, of: Primitive, input: Any, other: Any) -> Tensor:
    check_some_tensor(name, input, other)
    values = tuple([v._array if isinstance(v, Tensor) else v for v in (input, other)])
    kind = dtypes.promote_to_floating(values).numpy
    operands = [v if isinstance(v, Tensor) else np.asarray(v, kind) for v in (input, other)]
    out: Tensor = of(*operands)
    return out


def zeta(input: Tensor | float, other: Tensor | float) -> Tensor:
    """Hurwitz's zeta function: Σ 1 / (k + other)^input over k = 0, 1, …"""
    return _two("special_zeta", _zeta, input, other)


_xlog1py: Primitive = elementwise(
    "special_xlog1py", "0 where x = 0, x · ln(1 + y) elsewhere", _scipy("xlog1py", 2),
    input=lambda g, input, other: where((input == 0) & (other <= -1), 0.0, _xlog1py(g, other)),
    other=lambda g, input, other: g * input / (other + 1),
)  # fmt: skip


@operation
def xlog1py(input: Tensor | float, other: Tensor | float) -> Tensor:
    """x · ln(1 + y), and 0 where x is 0."""
    return _two("special_xlog1py", _xlog1py, input, other)


gammaln, psi, multigammaln, gammainc, gammaincc = lgamma, digamma, mvlgamma, igamma, igammac


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'torch.special' has no attribute '{name}'")
    raise unsupported(f"special.{name}")
