"""Schedules along the cosine: half a wave down, once or again and again."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mnist.optim.optimizer import Optimizer

from .scheduler import LRScheduler, current


class CosineAnnealingLR(LRScheduler):
    """From the initial learning rate to `eta_min` in `T_max` epochs, along half a cosine.

    η = eta_min + (η₀ − eta_min) · (1 + cos(π · epoch / T_max)) / 2, computed from the epoch
    before, as PyTorch does, so that schedules can be chained.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017).

    >>> import tinygrad_mnist as torch
    >>> optimizer = torch.optim.SGD([torch.ones(1)], lr=1.0)
    >>> schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step()
    >>> schedule.step()
    >>> [round(lr, 4) for lr in schedule.get_last_lr()]
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates at `last_epoch`; for `step` to call."""
        self._expect_step()
        rates = current(self.optimizer)
        low, epoch, half_wave = self.eta_min, self.last_epoch, self.T_max
        if self._is_initial:
            return rates
        if self._step_count == 1 and epoch > 0:
            height = 1 + math.cos(epoch * math.pi / half_wave)
            return [low + (base_lr - low) * height / 2 for base_lr in self.base_lrs]
        if (epoch - 1 - half_wave) % (2 * half_wave) == 0:
            rise = 1 - math.cos(math.pi / half_wave)
            pairs = zip(rates, self.base_lrs, strict=True)
            return [rate + (base_lr - low) * rise / 2 for rate, base_lr in pairs]
        height = 1 + math.cos(math.pi * epoch / half_wave)
        height_before = 1 + math.cos(math.pi * (epoch - 1) / half_wave)
        return [height / height_before * (rate - low) + low for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base_lr - self.eta_min) * height / 2 for base_lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine in `T_0` epochs, again from the top in T_0 · `T_mult`, and so on.

    Raises ValueError for a `T_0` that is not a positive integer or a `T_mult` below 1.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise ValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates at `T_cur` epochs after the last restart; for `step` to call."""
        self._expect_step()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base_lr - self.eta_min) * height / 2 for base_lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to `epoch`, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            self._go_to(epoch)
        self._update_lr(math.floor(epoch))

    def _go_to(self, epoch: float) -> None:
        restarts = 0
        start: float = 0
        if self.T_mult == 1:
            start = epoch - epoch % self.T_0
        elif epoch >= self.T_0:
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            start = self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
        self.T_cur = epoch - start
        self.T_i = self.T_0 * self.T_mult**restarts
