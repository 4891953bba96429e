"""Weights in parts, by hooks that put the weight together before `forward`.

The newer `parametrizations` do the same with properties.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn.modules.convolution import _ConvTranspose
from tinygrad_mnist.nn.modules.module import Module
from tinygrad_mnist.nn.parameter import Parameter, is_lazy

M = TypeVar("M", bound=Module)


def norm_except_dim(v: Tensor, dim: int) -> Tensor:
    """The lengths of the parts of v along `dim`, in its dimensions; −1: that of all of it."""
    if dim == -1:
        return v.norm()
    return v.norm(2, [d for d in range(v.dim()) if d != dim], keepdim=True)


def weight_of(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """v · g / |v|"""
    return named_as(v * (g / norm_except_dim(v, dim)), "WeightNormInterfaceBackward0")


def default_dim(module: Module) -> int:
    """The dimension of a layer's outputs in its weight."""
    return 1 if isinstance(module, _ConvTranspose) else 0


class _Hook:
    """Computes the weight `name` of other tensors before each `forward`."""

    what = ""
    name: str

    def compute_weight(self, module: Any, improve: bool) -> Tensor:
        """The weight, of the module's tensors."""
        raise NotImplementedError

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))

    def attach(self, module: Any) -> Any:
        """The weight as it is now; PyTorch's errors for one that cannot be replaced."""
        for hook, *_ in module._forward_pre_hooks.values():
            if type(hook) is type(self) and hook.name == self.name:
                raise RuntimeError(
                    f"Cannot register two {self.what}_norm hooks on the same parameter {self.name}"
                )
        weight = getattr(module, self.name)
        title = f"{self.what.title()}Norm"
        if weight is None:
            raise ValueError(f"`{title}` cannot be applied as parameter `{self.name}` is None")
        if is_lazy(weight):
            raise ValueError(
                f"The module passed to `{title}` can't have uninitialized parameters. Make sure to "
                f"run the dummy forward before applying {self.what} normalization"
            )
        return weight


def _remove(module: M, kind: type[_Hook], name: str, suffixes: str) -> M:
    """Make the weight a parameter again; ValueError where it is none of that kind's."""
    for key, (hook, *_) in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            with no_grad():
                weight = hook.compute_weight(module, False)
            for each in (name, *(f"{name}_{suffix}" for suffix in suffixes.split())):
                delattr(module, each)
            module.register_parameter(name, Parameter(weight.detach()))
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"{kind.what}_norm of '{name}' not found in {module}")


class WeightNorm(_Hook):
    """v · g / |v|, of the parameters `name_v` and `name_g`."""

    what = "weight"

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Any, improve: bool = False) -> Tensor:
        """v · g / |v|"""
        g, v = (getattr(module, f"{self.name}_{part}") for part in "gv")
        return weight_of(v, g, self.dim)


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Train a weight as lengths `name_g` and directions `name_v`, apart along `dim`.

    Raises RuntimeError where that is done already, ValueError for a weight without a shape.
    `parametrizations.weight_norm` is its successor. Salimans and Kingma, "Weight normalization"
    (2016).
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of "
        "`torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    hook = WeightNorm(name, dim)
    weight = hook.attach(module)
    delattr(module, name)
    lengths = norm_except_dim(weight.detach(), hook.dim)
    module.register_parameter(f"{name}_g", Parameter(lengths))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module, None)
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Undo `weight_norm`: the weight is one parameter again."""
    return _remove(module, WeightNorm, name, "g v")


class Power:
    """Power iteration for the largest singular value of a weight, seen as a matrix."""

    def __init__(self, times: int, dim: int, eps: float) -> None:
        if times <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={times}"
            )
        self.times, self.dim, self.eps = times, dim, eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with a row for each number along `dim`."""
        return weight.movedim(self.dim, 0).flatten(1)

    def unit(self, vector: Tensor) -> Tensor:
        """A vector over its length."""
        return F.normalize(vector, dim=0, eps=self.eps)


class SpectralNorm(_Hook):
    """`name_orig` over its largest singular value, found with the buffers `name_u`, `name_v`."""

    what = "spectral"

    def __init__(self, name: str, times: int, dim: int, eps: float) -> None:
        self.name, self.power = name, Power(times, dim, eps)

    def compute_weight(self, module: Any, improve: bool) -> Tensor:
        """The weight; u and v are brought nearer to the singular vectors first if `improve`."""
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = self.power.matrix(weight)
        if improve:
            with no_grad():
                for _ in range(self.power.times):
                    v.copy_(self.power.unit(matrix.t().mv(u)))
                    u.copy_(self.power.unit(matrix.mv(v)))
            u, v = u.clone(), v.clone()
        return weight / u.dot(matrix.mv(v))  # type: ignore[no-any-return]


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
    dim: int | None = None,
) -> M:  # fmt: skip
    """Divide a weight by its largest singular value before each `forward`.

    Raises as `weight_norm` does. Miyato et al., "Spectral normalization for generative
    adversarial networks" (2018).
    """
    rows = default_dim(module) if dim is None else dim
    hook = SpectralNorm(name, n_power_iterations, rows, eps)
    weight = hook.attach(module)
    with no_grad():
        height, width = hook.power.matrix(weight).shape
        u, v = (hook.power.unit(weight.new_empty(n).normal_()) for n in (height, width))
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undo `spectral_norm`: the weight is one parameter again."""
    return _remove(module, SpectralNorm, name, "u v orig")
