"""Optimisers: how parameters change by their gradients, and how learning rates change."""

from tinygrad_mnist.names import lazily, read_table

_PLACES = read_table({
    "optim.adam": "Adam AdamW Adamax NAdam RAdam",
    "optim.adaptive": "Adadelta Adagrad RMSprop",
    "optim.gradient_descent": "ASGD Rprop SGD",
    "optim.lbfgs": "LBFGS",
    "optim.optimizer": "Optimizer",
})  # fmt: skip

__all__ = sorted(["lr_scheduler", "swa_utils", *_PLACES])
__getattr__, __dir__ = lazily(__name__, _PLACES, ("lr_scheduler", "swa_utils"))
