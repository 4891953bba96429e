"""LRScheduler, what all schedules share; and ReduceLROnPlateau, which follows a measure."""

from __future__ import annotations

import functools
import math
import warnings
import weakref
from typing import Any, Literal, SupportsFloat

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.optim.optimizer import Optimizer, to_scalar

Rate = float | Tensor
"""A learning rate."""
EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available. Please open an issue if you are unable to replicate your use case: "
    "https://github.com/pytorch/pytorch/issues/new/choose."
)


def check_optimizer(optimizer: Any) -> None:
    """TypeError for what is not an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(value: Any) -> Any:
    """A tensor's copy, so that nobody changes it from outside; a number as it is."""
    return value.clone() if isinstance(value, Tensor) else value


def current(optimizer: Optimizer, key: str = "lr") -> list[Any]:
    """One setting of every parameter group."""
    return [copied(group[key]) for group in optimizer.param_groups]


def one_each(name: str, optimizer: Optimizer, given: Any) -> list[Any]:
    """A value for every parameter group, from one for all or a list of as many.

    Raises ValueError for a list of another length.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(given, list | tuple):
        return [copied(given) for _ in range(groups)]
    if len(given) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(given)} values, param_groups has {groups}."
        )
    return [copied(value) for value in given]


def set_lr(group: dict[str, Any], lr: Rate) -> None:
    """Write a group's learning rate: into its tensor, where it is one."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(to_scalar(lr))
    else:
        group["lr"] = lr


class LRScheduler:
    """Sets the learning rate of an optimiser's groups, first when made, then at each `step()`.

    A subclass gives `get_lr`, the learning rates at `last_epoch`. `last_epoch` -1 starts a
    schedule; another resumes one, and the groups must then hold "initial_lr". Raises TypeError for
    what is not an Optimizer.
    """

    optimizer: Optimizer
    base_lrs: list[Any]
    last_epoch: int
    _step_count: int
    _last_lr: list[Rate]
    _is_initial: bool = False
    _get_lr_called_within_step: bool = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{number}] when resuming "
                    "scheduler with last_epoch >= 0.\n"
                    "This typically happens when:\n"
                    "1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n"
                    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
                )
        self.base_lrs = current(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _track_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Rate]:
        """The learning rates at `last_epoch`, one for each group; for `step` to call."""
        raise NotImplementedError

    def get_last_lr(self) -> list[Rate]:
        """The learning rates set last, one for each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch (or, deprecated, to `epoch`), and set the learning rates."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _check_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warning = (
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. Please, make sure to call `optimizer.step()` before "
                "`lr_scheduler.step()`."
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warning = (
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch "
                "1.1.0 and later, you should call them in the opposite order: `optimizer.step()` "
                "before `lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping "
                "the first value of the learning rate schedule."
            )
        else:
            return
        details = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
        warnings.warn(f"{warning} See more details at {details}", UserWarning, stacklevel=3)

    def _update_lr(self, epoch: int | None = None) -> None:
        closed_form = getattr(self, "_get_closed_form_lr", None)
        self._get_lr_called_within_step = True
        try:
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            rates = self.get_lr() if epoch is None or closed_form is None else closed_form()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_lr(group, lr)
        self._last_lr = current(self.optimizer)

    def _expect_step(self) -> None:
        """Warn a user who calls `get_lr` and wants `get_last_lr`."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use "
                "`get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule keeps, save its optimiser."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` of a schedule of this kind gave."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The name that LRScheduler had before."""


def _track_steps(optimizer: Any) -> None:
    """Let `optimizer` note in `_opt_called` that its `step` was called."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    step = optimizer.step.__func__
    reference = weakref.ref(optimizer)

    @functools.wraps(step)
    def tracked_step(*args: Any, **kwargs: Any) -> Any:
        tracked = reference()
        assert tracked is not None
        tracked._opt_called = True
        return step(tracked, *args, **kwargs)

    tracked_step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = tracked_step


class ReduceLROnPlateau(LRScheduler):
    """The learning rate times `factor` after more than `patience` epochs without a better measure.

    A measure is better if it is lower ("min") or higher ("max") than the best by more than
    `threshold`, a share of it ("rel") or a difference ("abs"). After a cut, `cooldown` epochs
    count nothing. No cut goes below `min_lr`, and none is made that is smaller than `eps`. Raises
    ValueError for settings out of range.

    >>> optimizer = torch.optim.SGD([torch.ones(1)], lr=1.0)
    >>> schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in (0.9, 0.8, 0.8, 0.8):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.1]
    """

    default_min_lr: float | None

    def __init__(
        self, optimizer: Optimizer, mode: Literal["min", "max"] = "min", factor: float = 0.1,
        patience: int = 10, threshold: float = 1e-4, threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0, min_lr: list[float] | float = 0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        check_optimizer(optimizer)
        groups = len(optimizer.param_groups)
        if isinstance(min_lr, list | tuple):
            if len(min_lr) != groups:
                raise ValueError(f"expected {groups} min_lrs, got {len(min_lr)}")
            self.default_min_lr = None
            self.min_lrs = list(min_lr)
        else:
            self.default_min_lr = min_lr
            self.min_lrs = [min_lr] * groups
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.optimizer = optimizer
        self.factor = factor
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.last_epoch = 0
        self._last_lr = current(optimizer)
        self._reset()

    def _reset(self) -> None:
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take the measure of an epoch, a number or a tensor of one, and cut if it is time."""
        measure = float(metrics)
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(measure, self.best):
            self.best = measure
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = current(self.optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Whether the epochs after a cut count nothing yet."""
        return self.cooldown_counter > 0

    def _is_better(self, measure: float, best: float) -> bool:
        if self.mode == "min":
            lower = best * (1.0 - self.threshold)
            return measure < (lower if self.threshold_mode == "rel" else best - self.threshold)
        higher = best * (self.threshold + 1.0)
        return measure > (higher if self.threshold_mode == "rel" else best + self.threshold)

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"The number of param groups in the `optimizer` ({len(groups)}) differs from "
                    f"when `ReduceLROnPlateau` was initialized ({len(self.min_lrs)}), usually due "
                    "to a new param group being added to the optimizer. Please modify the "
                    "`min_lrs` field to match the length of the `optimizer` param groups."
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, lowest)
            if old - new > self.eps:
                set_lr(group, new)
