"""What a run trains: a model by name, its loss, and the optimiser that moves its parameters."""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, optim

from reference import logistic
from reference.logistic import Job
from reference.models import MODELS

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
MOMENTUM_FOR = ("sgd", "rmsprop")


def usual_lr(model: str, optimizer: str, momentum: float) -> float:
    """A learning rate that does well: the tutorial's 0.5 and 0.1, the optimisers' own 0.001."""
    if optimizer != "sgd":
        return 0.001
    return 0.5 if model == "logistic" and not momentum else 0.1


def build(options: argparse.Namespace, device: torch.device) -> Job:
    """The job that the options describe, its weights drawn on the CPU.

    Gradient descent of the logistic model is written by hand, as in the tutorial.
    """
    if options.model == "logistic":
        job = logistic.build(options.stage, device)
        if options.optimizer == "sgd" and not options.momentum:
            return job
    else:
        model = MODELS[options.model]().to(device)
        job = Job(model, F.cross_entropy, dict(model.named_parameters()), lambda lr: None)
    optimizer = _optimizer(options, list(job.parameters.values()))

    def update(lr: float) -> None:
        optimizer.step()
        optimizer.zero_grad()

    return replace(job, update=update)


def _optimizer(options: argparse.Namespace, parameters: list[Tensor]) -> optim.Optimizer:
    lr, momentum = options.lr, options.momentum
    if options.optimizer == "adam":
        return optim.Adam(parameters, lr=lr)
    if options.optimizer == "adamw":
        return optim.AdamW(parameters, lr=lr)
    if options.optimizer == "rmsprop":
        return optim.RMSprop(parameters, lr=lr, momentum=momentum)
    return optim.SGD(parameters, lr=lr, momentum=momentum)
