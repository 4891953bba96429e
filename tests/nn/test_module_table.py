"""Every module of PyTorch's own table that we carry: made, printed, run and kept as there."""

from __future__ import annotations

import copy
import functools
import pickle
import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours

pytest.importorskip("expecttest", reason="PyTorch's table of modules needs expecttest")
pytest.importorskip("scipy", reason="PyTorch's table of modules needs scipy")
ELSEWHERE = ("CTCLoss", "Lazy", "TransformerEncoder")
"""Less exact in PyTorch (the table of operations has it), without shapes at first (test_lazy.py),
or made of another module (test_attention.py)."""
NOT_IN_TABLE = {
    "AlphaDropout", "ChannelShuffle", "CosineSimilarity", "DataParallel", "Dropout", "Dropout1d",
    "Dropout2d", "Dropout3d", "FeatureAlphaDropout", "Flatten", "Fold", "Hardsigmoid", "Identity",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "Module", "ModuleDict", "ModuleList",
    "PairwiseDistance", "ParameterDict", "ParameterList", "PixelShuffle", "PixelUnshuffle",
    "RNNBase", "RNNCellBase", "RReLU", "Sequential", "TransformerDecoder", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss", "Unflatten", "Unfold", "Upsample", "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
}  # fmt: skip
CARRIED = [
    name
    for name in dir(ours.nn)
    if isinstance(kind := getattr(ours.nn, name), type)
    and issubclass(kind, ours.nn.Module)
    and not (name.startswith(ELSEWHERE) and not name.endswith("Layer"))
    and name not in NOT_IN_TABLE
]
DTYPES = {
    getattr(torch, name): getattr(ours, name)
    for name in ("float32", "float64", "int64", "int32", "uint8", "bool")
}
ROUNDING = {torch.float32: 2e-5, torch.float64: 1e-12}
PER_MODULE = 6
"""How many of the table's samples are run: evenly spread."""


@functools.cache
def entries():
    """PyTorch's table, whose import takes seconds, by the modules' names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db
    return {entry.module_cls.__name__: entry for entry in module_db}


class Unsupported(Exception):
    """A sample of a type that this engine does not carry."""


def twin(value):
    """The same argument for our engine."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in DTYPES:
            raise Unsupported(value.dtype)
        array = value.detach().numpy().copy()
        return ours.from_numpy(array).requires_grad_(value.requires_grad)
    if isinstance(value, torch.dtype):
        return DTYPES[value]
    if isinstance(value, dict):
        return {key: twin(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(twin(each) for each in value)
    if isinstance(value, torch.nn.Module) or (callable(value) and not isinstance(value, type)):
        raise Unsupported(value)
    return value


def leaf(value):
    """A tensor as a leaf of its own, what holds tensors likewise."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, list | tuple):
        return type(value)(leaf(each) for each in value)
    return value


def samples(entry, dtype, training):
    """Arguments of the constructor and of forward, for either engine."""
    torch.manual_seed(0)
    made = entry.module_inputs_func(
        entry, device="cpu", dtype=dtype, requires_grad=True, training=training
    )
    found = []
    for sample in made:
        forward = sample.forward_input
        theirs = (
            (sample.constructor_input.args, sample.constructor_input.kwargs),
            (leaf(forward.args), {n: leaf(v) for n, v in forward.kwargs.items()}),
        )
        try:
            found.append((theirs, twin(theirs)))
        except Unsupported:
            continue
    return found[:: max(1, len(found) // PER_MODULE)][:PER_MODULE]


def tensors(value, kind):
    if isinstance(value, kind):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    return [t for v in values for t in tensors(v, kind)] if isinstance(
        value, dict | list | tuple
    ) else []  # fmt: skip


def equal(have, want, dtype):
    assert str(have.dtype).split(".")[-1] == str(want.dtype).split(".")[-1]
    assert tuple(have.shape) == tuple(want.shape)
    want = want.detach().numpy()
    largest = float(np.abs(want[np.isfinite(want)]).max(initial=1)) if want.size else 1.0
    np.testing.assert_allclose(
        have.detach().numpy(), want, rtol=ROUNDING[dtype], atol=ROUNDING[dtype] * largest
    )


def run(engine, made, arguments, dtype, training):
    """A module, what it gives, and the gradients of its inputs and parameters."""
    args, kwargs = made
    engine.manual_seed(5)
    module = getattr(engine.nn, args[0])(*args[1:], **kwargs)
    module.to(dtype).train(training)
    start = {key: value.detach().clone() for key, value in module.state_dict().items()}
    engine.manual_seed(7)
    out = tensors([module(*arguments[0], **arguments[1])], engine.Tensor)
    wanted = [t for t in tensors(list(arguments), engine.Tensor) if t.requires_grad]
    wanted += list(module.parameters())
    differentiable = [t for t in out if t.requires_grad]
    above = []
    random = np.random.default_rng(0)
    for t in differentiable:
        numbers = np.asarray(random.standard_normal(tuple(t.shape)))
        above.append(engine.tensor(numbers, dtype=t.dtype))
    grads = []
    if differentiable and wanted:
        grads = engine.autograd.grad(differentiable, wanted, above, allow_unused=True)
    return module, start, out, grads


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", CARRIED)
def test_agrees_with_pytorch(name, training):
    """State from the same seed, text, results, gradients, and the state afterwards."""
    for dtype in (torch.float32, torch.float64):
        for theirs, mine in samples(entries()[name], dtype, training):
            (module, start, out, grads), (want_module, want_start, want_out, want_grads) = (
                run(engine, ((name, *made[0]), made[1]), arguments, kind, training)
                for engine, (made, arguments), kind in (
                    (ours, mine, DTYPES[dtype]),
                    (torch, theirs, dtype),
                )
            )
            assert repr(module) == repr(want_module)
            assert list(start) == list(want_start)
            assert len(out) == len(want_out)
            assert [g is None for g in grads] == [g is None for g in want_grads]
            after, want_after = module.state_dict(), want_module.state_dict()
            pairs = [
                *[(start[key], want_start[key]) for key in start],
                *zip(out, want_out, strict=True),
                *[(g, w) for g, w in zip(grads, want_grads, strict=True) if w is not None],
                *[(after[key], want_after[key]) for key in after],
            ]
            for have, want in pairs:
                equal(have, want, dtype)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", CARRIED)
def test_is_kept_whole(name):
    """Pickled and copied, a module has the same text and state; `dtype` makes its parameters."""
    (made, _), *_ = [mine for _, mine in samples(entries()[name], torch.float32, True)]
    module = getattr(ours.nn, name)(*made[0], **made[1])
    for kept in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert repr(kept) == repr(module)
        state = kept.state_dict()
        assert list(state) == list(module.state_dict())
        for key, value in module.state_dict().items():
            assert np.array_equal(state[key].numpy(), value.numpy())
    if any(True for _ in module.parameters()):
        options = {**made[1], "dtype": ours.float64, "device": "cpu"}
        wide = getattr(ours.nn, name)(*made[0], **options)
        assert {p.dtype for p in wide.parameters()} == {ours.float64}


def refusal(engine, name, args, kwargs, inputs, options):
    try:
        getattr(engine.nn, name)(*args, **kwargs)(*inputs, **options)
    except Exception as error:
        return type(error).__name__, str(error)
    raise AssertionError(f"{engine.__name__} takes what the table says is wrong")


def errors(entry):
    """The table's error inputs of a module."""
    made = entry.module_error_inputs_func or (lambda entry, **options: [])
    return made(entry, device="cpu", dtype=torch.float32, requires_grad=False, training=True)


def test_every_module_of_the_table_is_tried():
    tried = {name for name in entries() if hasattr(ours.nn, name)} - set(CARRIED)
    assert all(name.startswith(ELSEWHERE) for name in tried)
    assert not entries().keys() & NOT_IN_TABLE


def test_refuses_what_pytorch_refuses():
    """The table's error inputs raise PyTorch's class of error with its message."""
    tried = set()
    for name, sample in [(n, each) for n in CARRIED for each in errors(entries()[n])]:
        made = sample.module_error_input.constructor_input
        forward = sample.module_error_input.forward_input
        inputs = (forward.args, forward.kwargs) if forward else ((), {})
        theirs = (made.args, made.kwargs, *inputs)
        try:
            mine = twin(theirs)
        except Unsupported:
            continue
        assert (name, *refusal(ours, name, *mine)) == (name, *refusal(torch, name, *theirs))
        tried.add(name)
    assert len(tried) > 15
