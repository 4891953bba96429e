"""Averages of a model over training: of its weights, equally (SWA) or exponentially (EMA)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import tensor
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.nn.modules.module import Module
from tinygrad_mnist.nn.modules.normalization import _BatchNorm

from .lr_scheduler.scheduler import LRScheduler, Rate, one_each
from .optimizer import Optimizer

__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
    "get_swa_multi_avg_fn", "update_bn",
]  # fmt: skip

Average = Callable[[Any, Any, Any], Any]
MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_swa_avg_fn() -> Average:
    """The function of (average, current value, number of values so far) to their mean."""

    @no_grad()
    def swa_update(average: Any, current: Any, count: Any) -> Any:
        return average + (current - average) / (count + 1)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The function of (average, current value, …) to decay · average + (1 − decay) · current."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )

    @no_grad()
    def ema_update(average: Any, current: Any, count: Any) -> Any:
        return decay * average + (1 - decay) * current

    return ema_update


def get_swa_multi_avg_fn() -> MultiAverage:
    """`get_swa_avg_fn` for lists of tensors, whose averages it writes in place."""
    return _for_lists(get_swa_avg_fn(), lambda count: 1 / (int(count) + 1))


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """`get_ema_avg_fn` for lists of tensors, whose averages it writes in place."""
    return _for_lists(get_ema_avg_fn(decay), lambda count: 1 - decay)


def _for_lists(average: Average, share: Callable[[Any], float]) -> MultiAverage:
    @no_grad()
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], count: Any) -> None:
        for mean, value in zip(averages, values, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, share(count))
            else:
                mean.copy_(average(mean, value, count))

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are the average of those it was updated with.

    `avg_fn(average, current, count)` gives a new average; `multi_avg_fn` writes those of a list
    of tensors; without either all count alike. Buffers are averaged if `use_buffers`, else copied.
    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization" (2018).

    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0):
    ...     torch.nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    Parameter containing:
    tensor([[1.]], requires_grad=True)
    Parameter containing:
    tensor([[2.]], requires_grad=True)
    >>> average.module.weight.item()
    1.5
    """

    n_averaged: Tensor

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the parameters of `model` into the average; the first time, copy them."""
        averages, values = (
            [each.detach() for each in (*whole.parameters(), *whole.buffers())]
            if self.use_buffers else [each.detach() for each in whole.parameters()]
            for whole in (self.module, model)
        )  # fmt: skip
        if self.n_averaged == 0:
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)
        elif self.multi_avg_fn is not None:
            for kind in dict.fromkeys(average.dtype for average in averages):
                chosen = [n for n, average in enumerate(averages) if average.dtype is kind]
                means, currents = ([tensors[n] for n in chosen] for tensors in (averages, values))
                self.multi_avg_fn(means, currents, self.n_averaged)
        else:
            update = self.avg_fn or get_swa_avg_fn()
            for average, value in zip(averages, values, strict=True):
                average.copy_(update(average, value, self.n_averaged))
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.detach().copy_(theirs.detach())
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Measure the running statistics of all batch norms anew, on the inputs that `loader` gives.

    A batch is a tensor, or a list or tuple whose first item is one.
    """
    momenta = {each: each.momentum for each in model.modules() if isinstance(each, _BatchNorm)}
    if not momenta:
        return
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None
    was_training = model.training
    model.train()
    for batch in loader:
        given = batch[0] if isinstance(batch, list | tuple) else batch
        model(given if device is None else given.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the learning rate as it is to `swa_lr` in `anneal_epochs` epochs, where it stays.

    The way is half a cosine ("cos") or a line ("linear"). Raises ValueError for other settings.

    >>> optimizer = torch.optim.SGD([torch.ones(1)], lr=1.0)
    >>> schedule = torch.optim.swa_utils.SWALR(optimizer, 0.5, 2, anneal_strategy="linear")
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.75]
    """

    def __init__(
        self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos", last_epoch: int = -1,
    ) -> None:  # fmt: skip
        rates = one_each("swa_lr", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How far from the first learning rate to the last it is at a step."""
        share = max(0, min(1, step / max(1, self.anneal_epochs)))
        return share if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * share)) / 2

    def get_lr(self) -> list[Rate]:
        """The learning rates at this step, from those of the step before; for `step` to call."""
        self._expect_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, share = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, last = group["lr"], group["swa_lr"]
            first = last if before == 1 else (lr - before * last) / (1 - before)
            rates.append(last * share + first * (1 - share))
        return rates
