"""Adagrad, Adadelta and RMSprop: each number's step divided by the size of its gradients so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_mnist._tensor import full_like, zeros_like
from tinygrad_mnist._tensor.conversion import counted

from .optimizer import (
    Group,
    Optimizer,
    check_lr,
    check_not_negative,
    decayed,
    new_step_count,
    refuse_differentiable,
    to_scalar,
)


class Adagrad(Optimizer):
    """p ← p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps), s the sum of g² so far.

    The sums start at `initial_accumulator_value`; `weight_decay` λ adds λ · p to the gradient;
    `maximize` climbs. `foreach` and `fused` change nothing here. Raises ValueError for settings
    out of range.

    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization" (2011).

    >>> import tinygrad_mnist as torch
    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.Adagrad([weight], lr=0.25)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.7500, 0.7500], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative(
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            epsilon=eps,
        )
        refuse_differentiable(differentiable)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                start = group["initial_accumulator_value"]
                self.state[param] = {
                    "step": new_step_count(),
                    "sum": full_like(param, start, requires_grad=False),
                }

    def _update(self, param: Any, grad: Any, group: Group) -> None:
        state = self.state[param]
        grad = decayed(param, grad, group)
        state["step"] += 1
        lr = to_scalar(group["lr"]) / (1 + (counted(state["step"]) - 1) * group["lr_decay"])
        squares = state["sum"].addcmul_(grad, grad)
        param.addcdiv_(grad, squares.sqrt().add_(group["eps"]), value=-lr)


class Adadelta(Optimizer):
    """p ← p − lr · d, d ← g · √(u + eps) / √(v + eps), v and u running averages of g² and d².

    `rho` is how much of the averages stays at a step; `weight_decay` λ adds λ · p to the gradient;
    `maximize` climbs. `foreach` changes nothing here. Raises ValueError for settings out of range.

    Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(epsilon=eps, weight_decay=weight_decay)
        refuse_differentiable(differentiable)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Any, grad: Any, group: Group) -> None:
        state = self.state[param]
        if not state:
            state["step"] = new_step_count()
            state["square_avg"] = zeros_like(param, requires_grad=False)
            state["acc_delta"] = zeros_like(param, requires_grad=False)
        grad = decayed(param, grad, group)
        state["step"] += 1
        rho, eps = group["rho"], group["eps"]
        squares = state["square_avg"].mul_(rho).addcmul_(grad, grad, value=1 - rho)
        steps = state["acc_delta"]
        delta = steps.add(eps).sqrt_().div_(squares.add(eps).sqrt_()).mul_(grad)
        steps.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        param.add_(delta, alpha=-to_scalar(group["lr"]))


class RMSprop(Optimizer):
    """p ← p − lr · g / (√v + eps) where v ← α · v + (1 − α) · g², from zero.

    `centered` takes the square of the gradient's running average from v; with momentum μ the
    quotient q gathers in b ← μ · b + q, and p ← p − lr · b. `weight_decay` λ adds λ · p to the
    gradient; `maximize` climbs. `foreach` chooses how PyTorch computes the same numbers and
    changes nothing here. Raises ValueError for settings out of range.

    Tieleman and Hinton, "Lecture 6.5: rmsprop", Coursera (2012); centered: Graves, "Generating
    Sequences With Recurrent Neural Networks" (2013).

    >>> import tinygrad_mnist as torch
    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.RMSprop([weight], lr=0.01, alpha=0.99)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        settings = {"epsilon": eps, "momentum": momentum, "weight_decay": weight_decay}
        for name, value in {**settings, "alpha": alpha}.items():
            if not value >= 0.0:
                raise ValueError(f"Invalid {name} value: {value}")
        refuse_differentiable(differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, param: Any, group: Group) -> dict[str, Any]:
        state = self.state[param]
        state["step"] = new_step_count()
        state["square_avg"] = zeros_like(param)
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(param)
        if group["centered"]:
            state["grad_avg"] = zeros_like(param)
        return state

    def _update(self, param: Any, grad: Any, group: Group) -> None:
        state = self.state[param] or self._new_state(param, group)
        alpha, lr = group["alpha"], to_scalar(group["lr"])
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        state["step"] += 1
        square = state["square_avg"]
        square.mul_(alpha).add_(grad * grad, alpha=1 - alpha)
        if group["centered"]:
            average = state["grad_avg"]
            average.mul_(alpha).add_(grad, alpha=1 - alpha)
            square = square - average * average
        root = square.sqrt().add_(group["eps"])
        if group["momentum"] > 0:
            quotients = state["momentum_buffer"]
            quotients.mul_(group["momentum"]).add_(grad / root)
            param.add_(quotients, alpha=-lr)
        else:
            param.add_(grad / root, alpha=-lr)
