"""Mixed precision: `autocast`, PyTorch's questions about it, and the scaling of gradients."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterable
from functools import partial
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine import autocast as engine
from tinygrad_mnist.engine.device import device
from tinygrad_mnist.engine.tensor import TensorBase

_DEVICES = ("cpu", "cuda", "hpu", "ipu", "maia", "mps", "mtia", "xla", "xpu")
_settings = engine.settings


def is_autocast_available(device_type: str) -> bool:
    """Whether PyTorch knows autocast for devices of this type, be there one or not."""
    return device_type in _DEVICES


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on in this thread for devices of this type."""
    return _settings.enabled.get(device_type, False)


def set_autocast_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
    """Turn autocast on or off in this thread; of GPUs where no type of device is named."""
    if isinstance(device_type, bool):
        _settings.enabled["cuda"] = device_type
    else:
        _settings.enabled[device_type] = bool(enabled)
    engine.update()


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The lower precision of autocast: bfloat16 on CPUs, float16 on GPUs unless set otherwise."""
    if device_type not in _DEVICES:
        raise RuntimeError(f"unsupported scalarType for device type {device_type!r}")
    lower = dtypes.bfloat16 if device_type in ("cpu", "xla") else dtypes.float16
    return _settings.dtypes.get(device_type, lower)


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Choose the lower precision of autocast in this thread."""
    _settings.dtypes[device_type] = dtype
    engine.update()


def is_autocast_cache_enabled() -> bool:
    """Whether casts of parameters are used again inside one autocast."""
    return _settings.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Have casts of parameters used again inside one autocast, or not."""
    _settings.cache_enabled = enabled


def clear_autocast_cache() -> None:
    """Forget the casts of parameters."""
    _settings.cache.clear()


def autocast_increment_nesting() -> int:
    """Count one more autocast around, and return how many there are."""
    _settings.nesting += 1
    return _settings.nesting


def autocast_decrement_nesting() -> int:
    """Count one autocast less around, and return how many are left."""
    _settings.nesting -= 1
    return _settings.nesting


class autocast(contextlib.ContextDecorator):
    """A `with` block, or a decorator, in which products compute in a lower precision.

    As PyTorch has it on the CPU: matrix products and convolutions take their inputs in bfloat16
    (or `dtype`), losses theirs in float32. For GPUs that are not there it warns and is off.

    >>> with torch.autocast("cpu"):
    ...     torch.ones(1, 2) @ torch.ones(2, 1)
    tensor([[2.]], dtype=torch.bfloat16)
    """

    def __init__(
        self, device_type: str, dtype: dtypes.dtype | None = None, enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        device(device_type)
        if not is_autocast_available(device_type):
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'"
            )
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self._cache_enabled = _settings.cache_enabled if cache_enabled is None else cache_enabled
        self._enabled = enabled and self._can_be_on()

    def _can_be_on(self) -> bool:
        if self.device == "cuda":
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=3
            )
            return False
        if self.fast_dtype in (dtypes.bfloat16, dtypes.float16):
            return True
        name = self.device.upper()
        warnings.warn(
            f"In {name} autocast, but the target dtype is not supported. Disabling autocast.\n"
            f"{name} Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
            stacklevel=3,
        )
        return False

    def __enter__(self) -> autocast:
        self._before = (
            is_autocast_enabled(self.device), get_autocast_dtype(self.device),
            _settings.cache_enabled,
        )  # fmt: skip
        self._set(self._enabled, self.fast_dtype, self._cache_enabled)
        autocast_increment_nesting()
        return self

    def __exit__(self, *details: object) -> None:
        if autocast_decrement_nesting() == 0:
            clear_autocast_cache()
        self._set(*self._before)

    def _set(self, enabled: bool, dtype: dtypes.dtype, cache_enabled: bool) -> None:
        _settings.dtypes[self.device] = dtype
        _settings.cache_enabled = cache_enabled
        set_autocast_enabled(self.device, enabled)


class GradScaler:
    """Keeps small gradients from vanishing in half precision: the loss is scaled up, they down.

    A step whose gradients are not finite is left out, and the scale becomes smaller; after
    `growth_interval` steps without that it grows. For GPUs that are not there it warns and is off.

    >>> weight = torch.ones(1, requires_grad=True)
    >>> optimizer, scaler = torch.optim.SGD([weight], lr=0.5), torch.amp.GradScaler("cpu")
    >>> scaler.scale(weight.sum()).backward()
    >>> scaler.step(optimizer), scaler.update(), weight.grad
    (None, None, tensor([1.]))
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        self._device, self._enabled = device, enabled
        if enabled and device != "cpu":
            warnings.warn(
                f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not "
                "available.  Disabling.",
                stacklevel=2,
            )
            self._enabled = False
        if self._enabled:
            assert growth_factor > 1.0, "The growth factor must be > 1.0."
            assert backoff_factor < 1.0, "The backoff factor must be < 1.0."
        self._scale, self._used = float(init_scale), False
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._stages: dict[int, tuple[str, bool]] = {}
        """Of each optimiser since the last update: what was done last; whether all was finite."""

    def scale(self, outputs: Any) -> Any:
        """The outputs times the scale, in containers too; as they are where scaling is off."""
        if not self._enabled:
            return outputs
        self._used = True
        if isinstance(outputs, TensorBase):
            return outputs * self._scale  # type: ignore[operator]
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _check_used(self, name: str) -> None:
        if not self._used:
            raise AssertionError(
                f"Attempted {name} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration."
            )

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimiser's parameters by the scale; once before a step."""
        if not self._enabled:
            return
        self._check_used("unscale_")
        stage, _ = self._stages.get(id(optimizer), ("ready", True))
        if stage == "unscaled":
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if stage == "stepped":
            raise RuntimeError("unscale_() is being called after step().")
        finite, inverse = True, 1.0 / self._scale
        for group in optimizer.param_groups:
            for gradient in [param.grad for param in group["params"] if param.grad is not None]:
                if gradient.dtype is dtypes.float16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                finite = finite and bool(gradient.isfinite().all())
                gradient.detach().mul_(inverse)
        self._stages[id(optimizer)] = ("unscaled", finite)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """A step of the optimiser with gradients divided by the scale, if they are all finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_used("step")
        if self._stages.get(id(optimizer), ("ready",))[0] == "stepped":
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._stages:
            self.unscale_(optimizer)
        _, finite = self._stages[id(optimizer)]
        if not any(p.grad is not None for g in optimizer.param_groups for p in g["params"]):
            raise AssertionError("No inf checks were recorded for this optimizer.")
        result = optimizer.step(*args, **kwargs) if finite else None
        self._stages[id(optimizer)] = ("stepped", finite)
        return result

    def update(self, new_scale: Any = None) -> None:
        """Make the scale smaller after a step that was left out, larger after many that were not.

        Or make it `new_scale`, a number or a tensor of one.
        """
        if not self._enabled:
            return
        self._check_used("update")
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._stages:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif not all(finite for _, finite in self._stages.values()):
            self._scale, self._growth_tracker = self._scale * self._backoff_factor, 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                grown = self._scale * self._growth_factor
                self._scale = grown if math.isfinite(grown) else self._scale
                self._growth_tracker = 0
        self._stages = {}

    def get_scale(self) -> float:
        """The scale; 1 where scaling is off."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether anything is scaled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale and the settings; nothing where scaling is off."""
        if not self._enabled:
            return {}
        names = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
        return {name: getattr(self, f"_{name.lstrip('_')}") for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave; RuntimeError for that of a scaler that was off."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        for name, value in state_dict.items():
            setattr(self, f"_{name.lstrip('_')}", value)

    def __getattr__(self, name: str) -> Any:
        """`get_growth_factor` and its like: functions that get or set a setting."""
        way, _, setting = name.partition("_")
        if way not in ("get", "set") or setting not in _SETTINGS:
            raise AttributeError(f"'GradScaler' object has no attribute '{name}'", name=name)
        return partial({"get": getattr, "set": setattr}[way], self, f"_{setting}")


_SETTINGS = ("growth_factor", "backoff_factor", "growth_interval")
