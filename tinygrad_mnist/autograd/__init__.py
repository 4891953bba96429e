"""Gradients: asking for them, and switching their recording on and off."""

import importlib
from typing import Any

from tinygrad_mnist.engine.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)

from .gradients import backward, grad

__all__ = [
    "Function", "Variable", "backward", "detect_anomaly", "enable_grad", "functional", "grad",
    "gradcheck", "gradgradcheck", "inference_mode", "is_anomaly_enabled", "is_grad_enabled",
    "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip

_LOADED_LATER = {
    "Function": "function",
    "Variable": "variable",
    "detect_anomaly": "anomaly",
    "is_anomaly_enabled": "anomaly",
    "set_detect_anomaly": "anomaly",
}


def __getattr__(name: str) -> Any:
    if name == "functional":
        return importlib.import_module(".functional", __name__)
    if name in ("gradcheck", "gradgradcheck"):
        return getattr(importlib.import_module("tinygrad_mnist.testing"), name)
    if name in _LOADED_LATER:
        return getattr(importlib.import_module(f".{_LOADED_LATER[name]}", __name__), name)
    if name in ("gradcheck", "gradgradcheck"):
        return getattr(importlib.import_module("tinygrad_mnist.testing"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
