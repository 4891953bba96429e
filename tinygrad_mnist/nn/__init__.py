"""Networks: modules and their parameters, layers, losses, and the functions behind them."""

from tinygrad_mnist.names import lazily

from . import modules

_TENSORS = ("Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter")
_MODULES = ("functional", "init", "modules", "parallel", "parameter", "utils")
_PLACES = {name: f"nn.modules:{name}" for name in modules.__all__}
_PLACES["DataParallel"] = "nn.parallel:DataParallel"
_PLACES |= {name: f"nn.parameter:{name}" for name in _TENSORS}

__all__ = sorted({*_MODULES, *_PLACES})
__getattr__, __dir__ = lazily(__name__, _PLACES, _MODULES)
