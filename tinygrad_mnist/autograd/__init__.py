"""Gradients: asking for them, and switching their recording on and off."""

import importlib
from typing import TYPE_CHECKING, Any

from tinygrad_mnist.engine.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)

from .gradients import Variable, backward, grad

if TYPE_CHECKING:
    from . import forward_ad, functional, graph
    from .anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
    from .finite_differences import gradcheck, gradgradcheck
    from .function import Function

__all__ = [
    "Function", "Variable", "backward", "detect_anomaly", "enable_grad", "forward_ad",
    "functional", "grad", "gradcheck", "gradgradcheck", "graph", "inference_mode",
    "is_anomaly_enabled", "is_grad_enabled", "is_inference_mode_enabled",
    "is_multithreading_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
    "set_multithreading_enabled",
]  # fmt: skip

_LOADED_LATER = {
    "Function": "function",
    **dict.fromkeys(("detect_anomaly", "is_anomaly_enabled", "set_detect_anomaly"), "anomaly"),
    **dict.fromkeys(("gradcheck", "gradgradcheck"), "finite_differences"),
}


def __getattr__(name: str) -> Any:
    if name in {"forward_ad", "functional", "graph", "profiler"}:
        return importlib.import_module(f".{name}", __name__)
    if name in _LOADED_LATER:
        return getattr(importlib.import_module(f".{_LOADED_LATER[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
