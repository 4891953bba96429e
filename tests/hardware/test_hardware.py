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
    "memory": lambda t: (t.cuda.memory_allocated(), t.cuda.max_memory_reserved(0)),
    "bfloat16": lambda t: t.cuda.is_bf16_supported(),
    "states": lambda t: (t.cuda.get_rng_state_all(), t.cuda.set_rng_state_all([])),
    "seeds": lambda t: (t.cuda.manual_seed_all(1), t.mps.manual_seed(1), t.xpu.manual_seed_all(1)),
    "xpu": lambda t: (t.xpu.is_available(), t.xpu.device_count(), t.xpu.empty_cache()),
    "no stream": lambda t: t.cuda.stream(None).__enter__(),
    "a class that is there": lambda t: str(t.cuda.FloatTensor),
    "process group": lambda t: t.distributed.is_initialized(),
    "nccl": lambda t: t.distributed.is_nccl_available(),
    "precision": lambda t: t.get_float32_matmul_precision(),
    "deterministic": lambda t: t.are_deterministic_algorithms_enabled(),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_are_those_of_pytorch_on_a_cpu(question):
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has an accelerator, and PyTorch says so")
    if torch.version.cuda is not None and question.startswith("cud"):
        pytest.skip("this PyTorch was built for CUDA, and says so")
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
    with pytest.raises(RuntimeError, match="Cannot access accelerator device"):
        tinygrad_mnist.hardware.accelerator.synchronize()
    with pytest.raises(RuntimeError, match="Expected positive number of threads"):
        tinygrad_mnist.set_num_interop_threads(0)


def test_gradcheck_is_found_where_pytorch_has_it():
    x = tinygrad_mnist.ones(2, dtype=tinygrad_mnist.float64, requires_grad=True)
    assert tinygrad_mnist.autograd.gradcheck(lambda x: x * x, (x,))


def test_mixed_precision_for_a_gpu_that_is_not_there_warns_and_is_off():
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device, and PyTorch uses it")
    for engine in (torch, tinygrad_mnist):
        weight = engine.ones(1, requires_grad=True)
        optimizer = engine.optim.SGD([weight], lr=0.5)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scaler = engine.amp.GradScaler("cuda")
            old_scaler = engine.cuda.amp.GradScaler(enabled=False)
            with engine.autocast("cuda", enabled=True), engine.cuda.amp.autocast(enabled=False):
                loss = (weight * 2).sum()
        kinds = [warning.category for warning in caught]
        assert kinds == [UserWarning, FutureWarning, UserWarning, FutureWarning]
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert weight.tolist() == [0]
        assert (scaler.is_enabled(), scaler.get_scale(), scaler.state_dict()) == (False, 1.0, {})
        assert not old_scaler.is_enabled()
        assert engine.autocast("cpu", enabled=False)(lambda: 3)() == 3


@pytest.mark.parametrize("engine", [torch, tinygrad_mnist])
def test_variables_are_tensors(engine):
    Variable = engine.autograd.Variable
    data = engine.zeros(2)
    x = Variable(data, requires_grad=True)
    assert isinstance(data, Variable)
    assert type(x) is engine.Tensor
    assert (x.is_leaf, x.requires_grad, data.requires_grad) == (True, True, False)
    data[0] = 5
    assert x.tolist() == [5, 0]
    assert Variable(x * 2).is_leaf
    assert Variable().shape == (0,)
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
        Variable([1.0])
    assert engine.version.cuda is None or engine is torch
    assert not engine.cuda.is_initialized()


NEED_A_GPU = {
    "synchronize": lambda t: t.cuda.synchronize(),
    "name": lambda t: t.cuda.get_device_name(0),
    "properties": lambda t: t.cuda.get_device_properties(0),
    "which": lambda t: t.cuda.current_device(),
    "stream": lambda t: t.cuda.Stream(),
    "event": lambda t: t.cuda.Event(enable_timing=True),
    "with": lambda t: t.cuda.device(0).__enter__(),
    "class": lambda t: t.cuda.LongTensor([1]),
    "rank": lambda t: t.distributed.get_rank(),
    "processes": lambda t: t.nn.parallel.DistributedDataParallel(t.nn.Linear(1, 1)),
}


@pytest.mark.parametrize("name", NEED_A_GPU)
def test_what_needs_a_gpu_fails_as_in_pytorch(name):
    if torch.version.cuda is not None:
        pytest.skip("this PyTorch was built for CUDA")
    with pytest.raises((AssertionError, RuntimeError, TypeError, ValueError)) as theirs:
        NEED_A_GPU[name](torch)
    with pytest.raises(theirs.type):
        NEED_A_GPU[name](tinygrad_mnist)


def test_one_device_is_the_module_itself():
    results = []
    for engine in (torch, tinygrad_mnist):
        engine.manual_seed(0)
        net = engine.nn.DataParallel(engine.nn.Linear(2, 1), device_ids=None)
        loss = net(engine.ones(3, 2)).sum()
        loss.backward()
        shown = (str(net), list(net.state_dict()), net.device_ids)
        results.append((shown, loss.item(), net.module.weight.grad.tolist()))
    assert results[0] == results[1]
    assert not tinygrad_mnist.distributed.is_available()
    linear = tinygrad_mnist.nn.Linear(2, 1)
    x = tinygrad_mnist.ones(1, 2)
    assert tinygrad_mnist.nn.parallel.data_parallel(linear, x).equal(linear(x))
