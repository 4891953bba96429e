"""Convolutions, pooling and borders, held against PyTorch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tests.ops import samples as s
from tests.ops.harness import Operation, Sample, check

FLOATING = ("float32", "float64")
FINITE = ("halves", "normal")
DISTINCT = ("normal",)


def pair(draw, low, high, count=2):
    """One number, or one for each dimension."""
    if draw(st.booleans()):
        return draw(st.integers(low, high))
    return tuple(draw(st.integers(low, high)) for _ in range(count))


@st.composite
def convolved(draw, count=2, transposed=False):
    """Images, filters, perhaps biases, and how to slide; now and then what does not fit."""
    groups = draw(st.integers(1, 2))
    inner, outer = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    batch = [draw(st.integers(0 if draw(st.integers(0, 7)) == 0 else 1, 2))]
    kernel = [draw(st.integers(1, 3)) for _ in range(count)]
    sizes = [draw(st.integers(2, 6)) for _ in range(count)]
    wrong = draw(st.integers(0, 9)) == 0
    batch = batch if draw(st.integers(0, 3)) else []
    kind = draw(st.sampled_from(FLOATING))
    channels = groups * inner + wrong
    x = draw(s.arrays((*batch, channels, *sizes), (kind,), FINITE))
    weight = (groups * outer, inner) if not transposed else (groups * inner, outer)
    # PyTorch itself fails on second derivatives of transposed convolutions with other layouts.
    layouts = ("plain",) if transposed else s.LAYOUTS
    w = draw(s.arrays((*weight, *kernel), (kind,), FINITE, layouts))
    arguments = [x, w]
    if draw(st.booleans()):
        arguments.append(draw(s.arrays((groups * outer,), (kind,), FINITE, s.OWN_MEMORY)))
    options = {"stride": pair(draw, 1, 3, count), "dilation": pair(draw, 1, 2, count)}
    options |= {"padding": pair(draw, 0, 2, count), "groups": groups}
    if transposed:
        options["output_padding"] = pair(draw, 0, 1, count)
    elif draw(st.integers(0, 3)) == 0:
        options["padding"] = draw(st.sampled_from(("same", "valid", "same")))
        options["stride"] = 1 if draw(st.integers(0, 3)) else options["stride"]
    return Sample(arguments, options, draw(s.seeds))


@st.composite
def pooled(draw, count=2, numbers=FINITE, layouts=s.LAYOUTS, **more):
    """Images and windows; now and then windows that do not fit."""
    batch = (draw(st.integers(1, 2)),) if draw(st.booleans()) else ()
    sizes = tuple(draw(st.integers(1, 7)) for _ in range(count))
    x = draw(s.arrays((*batch, draw(st.integers(1, 2)), *sizes), FLOATING, numbers, layouts))
    options = {"kernel_size": pair(draw, 1, 4, count), "ceil_mode": draw(st.booleans())}
    if draw(st.booleans()):
        options["stride"] = pair(draw, 1, 3, count)
    options["padding"] = draw(st.integers(0, 2 if draw(st.integers(0, 7)) == 0 else 0))
    if options["padding"] == 0 and draw(st.booleans()):
        size = options["kernel_size"]
        options["padding"] = (size if isinstance(size, int) else min(size)) // 2
    options |= {name: draw(strategy) for name, strategy in more.items()}
    return Sample([x], options, draw(s.seeds))


@st.composite
def resized(draw, count=2):
    batch = (draw(st.integers(1, 2)),) if draw(st.booleans()) else ()
    sizes = tuple(draw(st.integers(1, 7)) for _ in range(count))
    x = draw(s.arrays((*batch, 2, *sizes), FLOATING, FINITE))
    size = pair(draw, 1, 4) if count == 2 else draw(st.integers(1, 4))
    return Sample([x], {"output_size": size}, draw(s.seeds))


@st.composite
def bordered(draw):
    """A tensor, borders of some of its dimensions, and a mode."""
    mode = draw(st.sampled_from(("constant", "constant", "reflect", "replicate", "circular")))
    if mode == "constant":
        x = draw(s.arrays(s.shapes(max_dims=3, min_side=1), ("float32", "float64", "int64")))
        count = draw(st.integers(0, x.ndim))
        borders = tuple(draw(st.integers(-1, 2)) for _ in range(2 * count))
        options = {"value": draw(st.sampled_from((None, 1, 2.0)))}
    else:
        count = draw(st.integers(1, 2))
        shape = (2,) * draw(st.integers(1, 2)) + tuple(
            draw(st.integers(3, 4)) for _ in range(count)
        )
        x = draw(s.arrays(shape, FLOATING))
        borders = tuple(draw(st.integers(0, 3)) for _ in range(2 * count))
        options = {}
    return Sample([x], {"pad": borders, "mode": mode, **options}, draw(s.seeds))


def functional(name):
    return lambda t, *arguments, **options: getattr(t.nn.functional, name)(*arguments, **options)


def sums(name, samples):
    """Sums of at most 36 products, added up in another order than PyTorch's."""
    return Operation(name, functional(name), samples, ulp=16, grad_ulp=64, measure="absolute",
                     grad_fn=False)  # fmt: skip


def picked(name, samples):
    """The largest of windows: exact, up to the order in which gradients that meet are added."""
    return Operation(name, functional(name), samples, grad_ulp=4, measure="absolute", grad_fn=False)


TABLE = [
    sums("conv2d", convolved()),
    sums("conv1d", convolved(1)),
    sums("conv_transpose2d", convolved(2, transposed=True)),
    sums("conv_transpose1d", convolved(1, transposed=True)),
    sums("avg_pool2d", pooled(count_include_pad=st.booleans(),
                              divisor_override=st.sampled_from((None, 3)))),
    sums("avg_pool1d", pooled(1, count_include_pad=st.booleans())),
    sums("adaptive_avg_pool2d", resized()),
    sums("adaptive_avg_pool1d", resized(1)),
    picked("max_pool2d", pooled(numbers=DISTINCT, layouts=s.OWN_MEMORY, dilation=st.integers(1, 2),
                                return_indices=st.booleans())),
    picked("max_pool1d", pooled(1, numbers=DISTINCT, layouts=s.OWN_MEMORY,
                                dilation=st.integers(1, 2))),
    picked("pad", bordered()),
]  # fmt: skip


@pytest.mark.parametrize("operation", TABLE, ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))


def test_names_of_records():
    for call, name in (
        (lambda t, F, x: t.conv2d(x, x), "ConvolutionBackward0"),
        (lambda t, F, x: F.max_pool2d(x, 1), "MaxPool2DWithIndicesBackward0"),
        (lambda t, F, x: F.avg_pool2d(x, 1), "AvgPool2DBackward0"),
        (lambda t, F, x: F.adaptive_avg_pool2d(x, 1), "MeanBackward1"),
        (lambda t, F, x: F.adaptive_avg_pool2d(x, 2), "AdaptiveAvgPool2DBackward0"),
        (lambda t, F, x: F.pad(x, (1, 1)), "ConstantPadNdBackward0"),
        (lambda t, F, x: F.pad(x, (1, 1), "reflect"), "ReflectionPad1DBackward0"),
    ):
        for t in (tinygrad_mnist, torch):
            x = t.ones(1, 1, 4, 4, requires_grad=True)
            x = x[0] if "Reflection" in name else x
            assert type(call(t, t.nn.functional, x).grad_fn).__name__ == name


@pytest.mark.parametrize("name", [f"adaptive_{k}_pool{n}d" for k in ("avg", "max") for n in (2, 3)])
def test_adaptive_pools_refuse_as_pytorch(name):
    def told(engine, shape, size):
        x = engine.ones(*shape, requires_grad=True)
        with pytest.raises((RuntimeError, ValueError)) as caught:
            getattr(engine.nn.functional, name)(x, size).sum().backward()
        return caught.type, str(caught.value)

    n = int(name[-2])
    for shape, size in (
        ((2,) * (n + 2), 0), ((2,) * (n + 1), (1,) * (n - 1) + (0,)), ((2, 3), (1,) * n),
        ((1,) * (n + 1), (1,) * (n - 1)), ((1,) * (n + 2), (None,) * (n - 1) + (-2,)),
        ((2,) * (n + 1) + (0,), 2),
    ):  # fmt: skip
        assert told(tinygrad_mnist, shape, size) == told(torch, shape, size)
