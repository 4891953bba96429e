"""Steps along the gradient or by its sign: SGD, ASGD and Rprop."""

from __future__ import annotations

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import as_tensor, full_like, ones, tensor, zeros_like
from tinygrad_mnist._tensor.python_data import counted
from tinygrad_mnist.ops.conditional import where

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


class SGD(Optimizer):
    """p ← p − lr · g; with momentum μ, p ← p − lr · v where v ← μ · v + (1 − dampening) · g.

    `nesterov` steps along g + μ · v instead of v. The other settings: see `Optimizer`.

    Momentum's form is that of Sutskever et al., "On the importance of initialization and momentum
    in deep learning" (2013), as PyTorch writes it.

    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.SGD([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        names = "lr momentum dampening weight_decay nesterov maximize foreach differentiable fused"
        super().__init__(params, read_settings(locals(), names, checks=""))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        momentum = group["momentum"]
        if momentum != 0:
            state = self.state[param]
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = grad.detach().clone()
            else:
                velocity.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(velocity, alpha=momentum) if group["nesterov"] else velocity
        param.add_(grad, alpha=-to_scalar(group["lr"]))


class ASGD(Optimizer):
    """p ← (1 − lambd · η) · p − η · g, η falling as lr / (1 + lambd · lr · t)^alpha.

    From step `t0` on, the state's "ax" is the average of p; before, it is p. The other settings:
    see `Optimizer`.

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
        t0: float = 1e6, weight_decay: float = 0, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        names = "lr lambd alpha t0 weight_decay foreach maximize differentiable capturable"
        super().__init__(params, read_settings(locals(), names, checks="weight_decay"))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state, lr, lambd = self.state[param], to_scalar(group["lr"]), group["lambd"]
        if not state:
            start_state(state, param)
            state["eta"] = tensor(float(lr), dtype=state["step"].dtype)
            state["mu"] = ones((), dtype=state["step"].dtype)
            state["ax"] = zeros_like(param, requires_grad=False)
        grad = decayed(param, grad, group)
        state["step"] += 1
        eta, mu, step = (counted(state[name]) for name in ("eta", "mu", "step"))
        param.mul_(1 - lambd * eta).add_(grad, alpha=-eta)
        average = state["ax"]
        if isinstance(mu, Tensor):
            average.copy_(where(mu != 1, average + (param - average) * state["mu"], param))
            late = (step - group["t0"]).clamp(min=1)
        else:
            average.copy_(param) if mu == 1 else average.add_(param.sub(average).mul_(state["mu"]))
            late = max(1, step - group["t0"])
        kind = dtypes.get_default_dtype()
        eta = lr / ((1 + lambd * lr * step) ** group["alpha"])
        state["eta"].copy_(as_tensor(eta, dtype=kind))
        state["mu"].copy_(as_tensor(1 / late, dtype=kind))


class Rprop(Optimizer):
    """p ← p − s · sign(g), s multiplied by the second of `etas` while g keeps its sign.

    Where g has turned, s is multiplied by the first of `etas` and p stays. s starts at `lr` and
    keeps between `step_sizes`. It is meant for gradients of all data, not of batches. The other
    settings: see `Optimizer`.

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: The RPROP
    algorithm" (1993).
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        names = "lr etas step_sizes foreach maximize differentiable capturable"
        super().__init__(params, read_settings(locals(), names, checks=""))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "prev")
            state["step_size"] = full_like(param, to_scalar(group["lr"]), requires_grad=False)
        state["step"] += 1
        if group["maximize"]:
            grad = -grad
        shorter, longer = group["etas"]
        agreement = grad * state["prev"]
        turned = agreement < 0
        factor = full_like(grad, 1.0)
        factor[agreement > 0] = longer
        factor[turned] = shorter
        step_size = state["step_size"].mul_(factor).clamp_(*group["step_sizes"])
        grad = grad.masked_fill(turned, 0.0)
        param.addcmul_(grad.sign(), step_size, value=-1)
        state["prev"].copy_(grad)
