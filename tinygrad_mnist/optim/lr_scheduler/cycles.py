"""Schedules that rise and fall: cosine annealing, with restarts or without, and cycles."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any, Literal

from tinygrad_mnist.optim.optimizer import Optimizer

from .scheduler import LRScheduler, Rate, check_optimizer, current, one_each, set_lr


class CosineAnnealingLR(LRScheduler):
    """From the initial learning rate to `eta_min` in `T_max` epochs, along half a cosine.

    η = eta_min + (η₀ − eta_min) · (1 + cos(π · epoch / T_max)) / 2, computed from the epoch
    before, as PyTorch does, so that schedules can be chained.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017).

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

    def get_lr(self) -> list[Rate]:
        """The learning rates at `last_epoch`; for `step` to call."""
        self._expect_step()
        rates = current(self.optimizer)
        low, epoch, half_wave = self.eta_min, self.last_epoch, self.T_max
        if self._is_initial:
            return rates
        if self._step_count == 1 and epoch > 0:
            return self._get_closed_form_lr()
        if (epoch - 1 - half_wave) % (2 * half_wave) == 0:
            rise = 1 - math.cos(math.pi / half_wave)
            pairs = zip(rates, self.base_lrs, strict=True)
            return [rate + (base_lr - low) * rise / 2 for rate, base_lr in pairs]
        height = 1 + math.cos(math.pi * epoch / half_wave)
        height_before = 1 + math.cos(math.pi * (epoch - 1) / half_wave)
        return [height / height_before * (rate - low) + low for rate in rates]

    def _get_closed_form_lr(self) -> list[Rate]:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base_lr - self.eta_min) * height / 2 for base_lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine in `T_0` epochs, again from the top in T_0 · `T_mult`, and so on.

    Raises ValueError for a `T_0` that is not a positive integer or a `T_mult` below 1.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017).
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
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

    def get_lr(self) -> list[Rate]:
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


def _cosine(start: Any, end: Any, share: float) -> Any:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _line(start: Any, end: Any, share: float) -> Any:
    return (end - start) * share + start


class _WithMomentum(LRScheduler):
    """A schedule in which momentum (or β₁) goes the opposite way, if `cycle_momentum`."""

    cycle_momentum: bool
    use_beta1: bool

    def _prepare_momentum(
        self, highest: Any, lowest: Any, last_epoch: int
    ) -> tuple[list[Any], list[Any]]:
        """The highest and lowest momentum of each group, which starts at the highest."""
        settings = self.optimizer.defaults
        if "momentum" not in settings and "betas" not in settings:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        self.use_beta1 = "betas" in settings
        highs = one_each("max_momentum", self.optimizer, highest)
        lows = one_each("base_momentum", self.optimizer, lowest)
        if last_epoch == -1:
            for group, high, low in zip(self.optimizer.param_groups, highs, lows, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low
        return highs, lows

    def _set_momentum(self, group: dict[str, Any], momentum: Any) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """From `base_lr` up to `max_lr` and back, again and again; by batch.

    The way up takes `step_size_up` steps, that down `step_size_down` (None: as many). The height
    of a cycle is multiplied by `scale_fn`, of the cycle's number or, with `scale_mode`
    "iterations", of the step's; or else by `mode`: "triangular" 1, "triangular2" 1 / 2^(cycle−1),
    "exp_range" `gamma`^step. Raises ValueError for another mode, and where momentum is to be
    cycled and the optimiser has none.

    Smith, "Cyclical Learning Rates for Training Neural Networks" (2017).

    >>> optimizer = torch.optim.SGD([torch.ones(1)], lr=0.1, momentum=0.9)
    >>> schedule = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.25, 0.75, step_size_up=2)
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, base_lr: float | list[float], max_lr: float | list[float],
        step_size_up: int = 2000, step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle", cycle_momentum: bool = True,
        base_momentum: float = 0.8, max_momentum: float = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        check_optimizer(optimizer)
        self.optimizer = optimizer
        lowest = one_each("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, lowest, strict=True):
                set_lr(group, rate)
        self.max_lrs = one_each("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        by_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = by_mode if scale_fn is None else scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.max_momentums, self.base_momentums = self._prepare_momentum(
                max_momentum, base_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def scale_fn(self, x: float) -> float:
        """The factor of a cycle's height: at cycle or step `x`, as `scale_mode` says."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return math.pow(self.gamma, x)
        return 1.0 if self.mode == "triangular" else math.pow(2.0, 1 - x)

    def get_lr(self) -> list[Rate]:
        """The learning rates at step `last_epoch`; for `step` to call, it sets momentum too."""
        self._expect_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        share = 1.0 + self.last_epoch / self.total_size - cycle
        ratio = self.step_ratio
        height = share / ratio if share <= ratio else (share - 1) / (ratio - 1)
        factor = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ends = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, ends, strict=True):
                self._set_momentum(group, high - (high - low) * height * factor)
        rates = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height * factor for low, high in rates]

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule keeps, save its optimiser and the code of `scale_fn`."""
        state = super().state_dict()
        scale = state["_scale_fn_custom"]
        plain = scale is None or isinstance(scale, types.FunctionType)
        return state | {"_scale_fn_custom": None if plain else scale.__dict__.copy()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` of a schedule of this kind gave."""
        scale, attributes = self._scale_fn_custom, state_dict["_scale_fn_custom"]
        super().load_state_dict(state_dict | {"_scale_fn_custom": scale})
        if attributes is not None:
            scale.__dict__.update(attributes)


class OneCycleLR(_WithMomentum):
    """From max_lr / div_factor up to `max_lr`, then down to that / final_div_factor; by batch.

    The number of steps is `total_steps`, or `epochs` times `steps_per_epoch`; the way up takes the
    share `pct_start` of them. `three_phase` mirrors the way up before the last descent.
    Momentum (or β₁) goes the opposite way, between `max_momentum` and `base_momentum`, if
    `cycle_momentum`. Raises ValueError for settings out of range, and for a step too many.

    Smith and Topin, "Super-Convergence" (2018).

    >>> optimizer = torch.optim.SGD([torch.ones(1)], lr=0.1, momentum=0.9)
    >>> schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> round(schedule.get_last_lr()[0], 4), optimizer.param_groups[0]["momentum"]
    (0.04, 0.95)
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos", cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85, max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _count_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_func_type = anneal_strategy
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        tops = one_each("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, tops, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(max_momentum, base_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """The learning rates at step `last_epoch`; for `step` to call, it sets momentum too."""
        self._expect_step()
        number = self.last_epoch
        if number > self.total_steps:
            raise ValueError(
                f"Tried to step {number} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        start = 0.0
        phase = self._schedule_phases[0]
        for later in self._schedule_phases[1:]:
            if number <= phase["end_step"]:
                break
            start = phase["end_step"]
            phase = later
        share = (number - start) / (phase["end_step"] - start)
        between = _cosine if self._anneal_func_type == "cos" else _line
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, between(*ends, share))
        return rates


def _count_steps(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    given = {"total_steps": total_steps}
    if total_steps is None:
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, number in given.items():
        if not isinstance(number, int) or number <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {number}")
    return math.prod(given.values())


def _phases(total: int, share_up: float, three: bool) -> list[dict[str, Any]]:
    """For each phase, its last step and the names of the settings where it starts and ends."""
    names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    up = float(share_up * total) - 1
    rows: list[tuple[Any, ...]] = [(up, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
    if three:
        down = float(2 * share_up * total) - 2
        rows.append((down, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
        rows.append((total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
    else:
        rows.append((total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"))
    return [dict(zip(names, row, strict=True)) for row in rows]
