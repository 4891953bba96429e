"""Adam and its variants: AdamW, Adamax, NAdam and RAdam."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist import kernels
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import ones, zeros_like
from tinygrad_mnist._tensor.python_data import counted
from tinygrad_mnist.engine.observer import OBSERVERS
from tinygrad_mnist.ops.conditional import where

from .optimizer import (
    Group,
    Optimizer,
    Params,
    check_tensor_setting,
    decayed,
    read_settings,
    start_state,
    to_scalar,
)


class Adam(Optimizer):
    """p ← p − lr · m̂ / (√v̂ + eps), m and v running averages of the gradient and its square.

    m ← β₁ m + (1 − β₁) g and v ← β₂ v + (1 − β₂) g², from zero; m̂ = m / (1 − β₁ᵗ) and
    v̂ = v / (1 − β₂ᵗ) at step t undo the pull of that zero. `amsgrad` divides by the largest v so
    far. The other settings: see `Optimizer`.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015); amsgrad: Reddi, Kale and
    Kumar, "On the Convergence of Adam and Beyond" (2018).

    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.Adam([weight], lr=0.25)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.7500, 0.7500], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
        fused: bool | None = None, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        check_tensor_setting("lr", lr, capturable, foreach)
        names = (
            "lr betas eps weight_decay amsgrad maximize foreach capturable differentiable fused "
            "decoupled_weight_decay"
        )
        settings = read_settings(locals(), names, checks="lr eps weight_decay betas")
        settings["betas"] = (to_scalar(betas[0]), to_scalar(betas[1]))
        super().__init__(params, settings)

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "exp_avg", "exp_avg_sq")
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros_like(param)
        lr, (beta1, beta2) = to_scalar(group["lr"]), group["betas"]
        grad = decayed(param, grad, group)
        state["step"] += 1
        step = counted(state["step"])
        average, square = state["exp_avg"], state["exp_avg_sq"]
        if _at_once(param, grad, average, square, group, step):
            return
        average.mul_(beta1).add_(grad, alpha=1 - beta1)
        square.mul_(beta2).add_(grad * grad, alpha=1 - beta2)
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]
            square = largest.copy_(largest.maximum(square))
        root = square.sqrt().div_((1 - beta2**step) ** 0.5).add_(group["eps"])
        param.sub_(average / root * (lr / (1 - beta1**step)))


def _at_once(
    param: Tensor, grad: Tensor, average: Tensor, square: Tensor, group: Group, step: Any
) -> bool:
    """Whether Adam's step was done in one pass over memory, bit for bit as by operations."""
    if OBSERVERS or group["amsgrad"] or not isinstance(step, float | int):
        return False
    lr, betas = to_scalar(group["lr"]), group["betas"]
    rate, correction = lr / (1 - betas[0] ** step), (1 - betas[1] ** step) ** 0.5
    arrays = param._array, grad._array, average._array, square._array
    if not kernels.adam_update(*arrays, betas, group["eps"], rate, correction):
        return False
    for changed in (param, average, square):
        changed._counter[0] += 1
    return True


class AdamW(Adam):
    """Adam that takes lr · `weight_decay` · p from each parameter, whatever its gradient.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019).

    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.AdamW([weight], lr=0.5, weight_decay=0.5)
    >>> (0 * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.7500, 0.7500], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


def _follow(
    state: dict[str, Any], grad: Tensor, betas: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The averages of the gradient and of its square, one step further."""
    average = state["exp_avg"].lerp_(grad, 1 - betas[0])
    square = state["exp_avg_sq"].mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    return average, square


class Adamax(Optimizer):
    """p ← p − lr · m / ((1 − β₁ᵗ) · u), m Adam's average, u ← max(β₂ · u, |g| + eps).

    The other settings: see `Optimizer`.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), section 7.
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        names = "lr betas eps weight_decay foreach maximize differentiable capturable"
        super().__init__(params, read_settings(locals(), names, "lr eps betas weight_decay"))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "exp_avg", "exp_inf")
        grad = decayed(param, grad, group)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        average = state["exp_avg"].lerp_(grad, 1 - beta1)
        largest = state["exp_inf"]
        largest.copy_(largest.mul_(beta2).maximum(grad.abs().add_(group["eps"])))
        lr = to_scalar(group["lr"]) / (1 - beta1 ** counted(state["step"]))
        param.addcdiv_(average, largest, value=-lr)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the step looks ahead by the next momentum.

    Momentum grows as β₁ · (1 − 0.96^(t · momentum_decay) / 2). The other settings: see `Optimizer`.

    Dozat, "Incorporating Nesterov Momentum into Adam" (2016).
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        names = (
            "lr betas eps weight_decay momentum_decay decoupled_weight_decay maximize foreach "
            "capturable differentiable"
        )
        checks = "lr eps betas weight_decay momentum_decay"
        super().__init__(params, read_settings(locals(), names, checks))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "mu_product", "exp_avg", "exp_avg_sq")
            state["mu_product"] = ones((), dtype=state["step"].dtype)
        grad = decayed(param, grad, group)
        state["step"] += 1
        step, lr = counted(state["step"]), to_scalar(group["lr"])
        beta1, beta2 = group["betas"]
        decay = group["momentum_decay"]
        now, after = (beta1 * (1.0 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1))
        state["mu_product"] *= now
        product = counted(state["mu_product"])
        average, square = _follow(state, grad, group["betas"])
        root = square.div(1 - beta2**step).sqrt().add_(group["eps"])
        param.addcdiv_(grad, root, value=-lr * (1.0 - now) / (1.0 - product))
        param.addcdiv_(average, root, value=-lr * after / (1.0 - product * after))


class RAdam(Optimizer):
    """Adam that divides by √v̂ only once its variance is known well enough.

    The other settings: see `Optimizer`.

    Liu et al., "On the variance of the adaptive learning rate and beyond" (2020).
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        names = (
            "lr betas eps weight_decay maximize foreach capturable decoupled_weight_decay "
            "differentiable"
        )
        super().__init__(params, read_settings(locals(), names, "lr eps betas weight_decay"))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "exp_avg", "exp_avg_sq")
        grad = decayed(param, grad, group)
        state["step"] += 1
        step, lr = counted(state["step"]), to_scalar(group["lr"])
        beta1, beta2 = group["betas"]
        average, square = _follow(state, grad, group["betas"])
        unbiased = average / (1 - beta1**step)
        most = 2 / (1 - beta2) - 1
        length = most - 2 * step * beta2**step / (1 - beta2**step)
        plain = unbiased * lr
        followed = isinstance(length, Tensor)
        if followed or length > 5.0:
            n = where(length > 5.0, length, 5.0) if followed else length
            rectified = (n - 4) * (n - 2) * most / ((most - 4) * (most - 2) * n)
            adaptive = (1 - beta2**step) ** 0.5 / square.sqrt().add_(group["eps"])
            known = plain * adaptive * rectified**0.5
            plain = where(length > 5.0, known, plain) if followed else known
        param.add_(plain, alpha=-1.0)
