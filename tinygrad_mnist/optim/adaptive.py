"""Adagrad, Adadelta and RMSprop: each number's step divided by the size of its gradients so far."""

from __future__ import annotations

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import full_like, zeros_like
from tinygrad_mnist._tensor.python_data import counted

from .optimizer import (
    Group,
    Optimizer,
    Params,
    check_lr,
    decayed,
    read_settings,
    start_state,
    to_scalar,
)


class Adagrad(Optimizer):
    """p ← p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps), s the sum of g² so far.

    The sums start at `initial_accumulator_value`. The other settings: see `Optimizer`.

    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization" (2011).

    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.Adagrad([weight], lr=0.25)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.7500, 0.7500], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, lr_decay: float = 0,
        weight_decay: float = 0, initial_accumulator_value: float = 0, eps: float = 1e-10,
        foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        names = (
            "lr lr_decay eps weight_decay initial_accumulator_value foreach maximize "
            "differentiable fused"
        )
        checks = "lr lr_decay weight_decay initial_accumulator_value eps"
        super().__init__(params, read_settings(locals(), names, checks))
        for group in self.param_groups:
            for param in group["params"]:
                state = self.state[param] = {}
                start_state(state, param)
                start = group["initial_accumulator_value"]
                state["sum"] = full_like(param, start, requires_grad=False)

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        grad = decayed(param, grad, group)
        state["step"] += 1
        lr = to_scalar(group["lr"]) / (1 + (counted(state["step"]) - 1) * group["lr_decay"])
        squares = state["sum"].addcmul_(grad, grad)
        param.addcdiv_(grad, squares.sqrt().add_(group["eps"]), value=-lr)


class Adadelta(Optimizer):
    """p ← p − lr · d, d ← g · √(u + eps) / √(v + eps), v and u running averages of g² and d².

    `rho` is how much of the averages stays at a step. The other settings: see `Optimizer`.

    Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012).
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1.0, rho: float = 0.9, eps: float = 1e-6,
        weight_decay: float = 0, foreach: bool | None = None, *, capturable: bool = False,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        names = "lr rho eps weight_decay maximize capturable foreach differentiable"
        super().__init__(params, read_settings(locals(), names, checks="eps weight_decay"))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "square_avg", "acc_delta")
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
    quotient q accumulates in b ← μ · b + q, and p ← p − lr · b. The other settings: see
    `Optimizer`.

    Tieleman and Hinton, "Lecture 6.5: rmsprop", Coursera (2012); centered: Graves, "Generating
    Sequences With Recurrent Neural Networks" (2013).

    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.RMSprop([weight], lr=0.01, alpha=0.99)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False,
        capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        names = (
            "lr momentum alpha eps centered weight_decay capturable foreach maximize differentiable"
        )
        checks = "lr eps momentum weight_decay alpha"
        super().__init__(params, read_settings(locals(), names, checks))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "square_avg")
            if group["momentum"] > 0:
                state["momentum_buffer"] = zeros_like(param)
            if group["centered"]:
                state["grad_avg"] = zeros_like(param)
        alpha, lr = group["alpha"], to_scalar(group["lr"])
        grad = decayed(param, grad, group)
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
