"""One job on both engines: what it returns or raises must be the same."""

import warnings

import numpy as np
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)


def plain(value):
    """A result without tensors: these become their type, shape and numbers."""
    if isinstance(value, torch.Tensor | tinygrad_mnist.Tensor):
        return str(value.dtype), list(value.shape), value.detach().numpy()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def outcome(job, engine):
    """What job(engine) gives, with its warnings; or the class and message of its error."""
    engine.manual_seed(7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = plain(job(engine))
        except Exception as error:
            text = str(error).replace("tinygrad_mnist.", "torch.")
            result = f"{type(error).__name__}: {text}"
    return result, [(w.category.__name__, str(w.message)) for w in caught]


def compare(ours, theirs, tolerance):
    if isinstance(theirs, np.ndarray):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            compare(ours[key], value, tolerance)
    elif isinstance(theirs, list | tuple) and isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for have, want in zip(ours, theirs, strict=True):
            compare(have, want, tolerance)
    else:
        assert ours == theirs


def agree(job, tolerance=0.0):
    """The job gives the same on both engines; numbers in tensors up to `tolerance`."""
    ours, theirs = (outcome(job, engine) for engine in ENGINES)
    compare(ours, theirs, tolerance)


def fails(job):
    """Whether PyTorch raises an error."""
    return isinstance(outcome(job, torch)[0], str)
