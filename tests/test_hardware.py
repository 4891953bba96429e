"""PyTorch's questions about hardware, and its switches, get the answers of a CPU."""

import warnings

import pytest
import torch

import tinygrad_mnist

QUESTIONS = {
    "accelerator": lambda t: t.accelerator.is_available(),
    "number of accelerators": lambda t: t.accelerator.device_count(),
    "the accelerator": lambda t: t.accelerator.current_accelerator(check_available=True),
    "cuda is built": lambda t: t.backends.cuda.is_built(),
    "mps": lambda t: t.backends.mps.is_available(),
    "mps is built": lambda t: t.backends.mps.is_built(),
    "cudnn": lambda t: t.backends.cudnn.is_available(),
    "cudnn's version": lambda t: t.backends.cudnn.version(),
    "cudnn's switches": lambda t: (t.backends.cudnn.enabled, t.backends.cudnn.benchmark),
    "tf32": lambda t: t.backends.cuda.matmul.allow_tf32,
    "precision": lambda t: t.get_float32_matmul_precision(),
    "deterministic": lambda t: t.are_deterministic_algorithms_enabled(),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_are_those_of_pytorch_on_a_cpu(question):
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has an accelerator, and PyTorch says so")
    assert QUESTIONS[question](tinygrad_mnist) == QUESTIONS[question](torch)


@pytest.mark.parametrize("engine", [torch, tinygrad_mnist])
def test_settings_are_kept(engine):
    engine.use_deterministic_algorithms(True, warn_only=True)
    assert engine.are_deterministic_algorithms_enabled()
    engine.use_deterministic_algorithms(False)
    assert not engine.are_deterministic_algorithms_enabled()
    engine.set_float32_matmul_precision("high")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        engine.set_float32_matmul_precision("low")
    assert "low is not one of 'highest', 'high', or 'medium'" in str(caught[0].message)
    assert engine.get_float32_matmul_precision() == "high"
    engine.set_float32_matmul_precision("highest")


def test_there_is_no_accelerator_to_wait_for():
    with pytest.raises(NotImplementedError, match="this engine computes on the CPU"):
        tinygrad_mnist.accelerator.synchronize()
    with pytest.raises(RuntimeError, match="Expected positive number of threads"):
        tinygrad_mnist.set_num_interop_threads(0)


def test_gradcheck_is_found_where_pytorch_has_it():
    x = tinygrad_mnist.ones(2, dtype=tinygrad_mnist.float64, requires_grad=True)
    assert tinygrad_mnist.autograd.gradcheck(lambda x: x * x, (x,))
