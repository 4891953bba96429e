"""float16, bfloat16, int16 and int8 over the table of operations, beside PyTorch."""

import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import Given, read

DIGITS = {"float16": 10, "bfloat16": 7}
NO_LOOP_THERE = ("multi_margin_loss", "multilabel_margin_loss", "pdist", "rms_norm", "conv",
                 "fold", "max_pool1d", "repeat_interleave", "soft_margin_loss",
                 "ndtri", "erfcx", "log_ndtr", "zeta", "ctc_loss", "pool3d", "interpolate",
                 "affine_grid", "binomial", "distributions.")  # fmt: skip
"""PyTorch has no kernel for these types; here they compute, in float32 or in whole numbers."""
ROUNDED_ELSEWHERE = (
    "normal of tensors",
    "scaled_dot_product_attention",
    "instance_norm",
    "special.i0e",
    "nn.functional.fold",
    "grid_sample",
)
"""PyTorch rounds at steps inside the operation."""
OTHERWISE_DIFFERENTIABLE = ("nll_loss", "cross_entropy", "batch_norm", "soft_margin_loss")
"""PyTorch refuses a gradient for a weight or a target, as all of a sample's arrays ask for one."""


def converted(engine, value, kind):
    """A sample's value with its floats, or its integers, in the type."""
    if isinstance(value, Given):
        array, floating = np.array(value.array), kind in DIGITS
        tensor = engine.from_numpy(array)
        if floating and array.dtype.kind == "f":
            return tensor.to(getattr(engine, kind)).requires_grad_()
        return (
            tensor.to(getattr(engine, kind)) if not floating and array.dtype == np.int32 else tensor
        )
    if type(value) in (list, tuple):
        return type(value)(converted(engine, each, kind) for each in value)
    if isinstance(value, dict):
        return {key: converted(engine, each, kind) for key, each in value.items()}
    text = repr(value)
    is_dtype = type(value).__name__ == "dtype" and text.startswith("torch.")
    return getattr(engine, text.removeprefix("torch.")) if is_dtype else value


def flat(value):
    if isinstance(value, list | tuple) and type(value).__name__ != "Size":
        return [part for each in value for part in flat(each)]
    return [value]


def outcome(engine, row, sample, kind):
    """Types, shapes and numbers of the results, or the error."""
    engine.manual_seed(sample.seed)
    arguments, options = converted(engine, read([sample.arguments, sample.options]), kind)
    try:
        results = flat(row.call(engine, row.name, *arguments, **options))
    except Exception as error:
        return error
    return [
        (str(x.dtype), tuple(x.shape), np.array(x.detach().double().tolist()))
        for x in results if hasattr(x, "requires_grad")
    ]  # fmt: skip


def near(ours, theirs, digits):
    largest = np.maximum(np.abs(ours), np.abs(theirs))
    scale = np.maximum(largest, 0.1 * np.max(largest, initial=0, where=np.isfinite(largest)))
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return bool((same | (np.abs(ours - theirs) <= 2.1 * 2.0**-digits * scale)).all())


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "int8"])
def test_every_operation_gives_pytorch_s_types_and_numbers(kind):
    wrong, compared = [], 0
    for row in OPERATIONS:
        sample = row.sample("ordinary" if kind in DIGITS else "integers", 0)
        if any(word in row.name for word in ROUNDED_ELSEWHERE):
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            ours, theirs = (outcome(e, row, sample, kind) for e in (tinygrad_mnist, torch))
            if "Low precision" in str(ours):
                continue
            if isinstance(theirs, Exception):
                known = NO_LOOP_THERE + OTHERWISE_DIFFERENTIABLE
                if not isinstance(ours, Exception) and not any(n in row.name for n in known):
                    wrong.append((row.name, "refused by PyTorch alone", theirs))
                continue
            compared += 1
            agree = not isinstance(ours, Exception) and len(ours) == len(theirs) and all(
                a[:2] == b[:2] and near(a[2], b[2], DIGITS.get(kind, 19 if "32" in b[0] else 45))
                for a, b in zip(ours, theirs, strict=True)
            )  # fmt: skip
            if not agree:
                wrong.append((row.name, ours, theirs))
    assert not [name for name, *_ in wrong], wrong
    assert compared > 400


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_a_model_trains(kind):
    losses = []
    for engine in (tinygrad_mnist, torch):
        engine.manual_seed(0)
        nn = engine.nn
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        model = model.to(getattr(engine, kind))
        x = engine.randn(16, 4, dtype=getattr(engine, kind))
        target = engine.arange(16) % 3
        optimizer = engine.optim.Adam(model.parameters(), lr=0.01, eps=1e-4)
        for _ in range(5):
            loss = engine.nn.functional.cross_entropy(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
        states = [state["exp_avg"].dtype for state in optimizer.state.values()]
        assert states == [getattr(engine, kind)] * 4
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("fill", [
    "uniform_()", "uniform_(-0.3, 0.7)", "normal_()", "normal_(2, 3)", "exponential_()",
    "cauchy_()", "log_normal_()", "geometric_(0.1)", "random_()", "random_(5)", "bernoulli_(0.3)",
])  # fmt: skip
def test_random_numbers_are_pytorch_s(kind, fill):
    for count in (5, 50, 3000):
        found = []
        for engine in (tinygrad_mnist, torch):
            engine.manual_seed(count)
            x = eval(f"x.{fill}", {"x": engine.empty(count, dtype=getattr(engine, kind))})
            found.append(np.array(x.double().tolist()))
        assert (found[0] == found[1]).mean() > 0.99, (count, found)


def test_texts_and_limits_are_pytorch_s():
    for kind in ("float16", "bfloat16", "int16", "int8"):
        said = []
        for engine in (tinygrad_mnist, torch):
            dtype = getattr(engine, kind)
            x = engine.tensor([1, 2, 100], dtype=dtype)
            limits = (engine.finfo if dtype.is_floating_point else engine.iinfo)(dtype)
            with pytest.raises((TypeError, RuntimeError)) as caught:
                x.numpy() if kind == "bfloat16" else x[None] @ engine.ones(3, 1)
            said.append([repr(x), repr(x / 3), repr(x * x), x.type(), x.tolist(), repr(limits),
                         x.element_size(), dtype.is_signed, str(caught.value)])  # fmt: skip
        assert said[0] == said[1]


def test_promotion_is_pytorch_s():
    names = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32")
    for a in names:
        for b in names:
            said = [
                str(e.promote_types(getattr(e, a), getattr(e, b))) for e in (tinygrad_mnist, torch)
            ]
            assert said[0] == said[1], (a, b)
