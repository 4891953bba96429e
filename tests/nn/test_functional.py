"""Functions of networks against PyTorch: value, shape, type, gradients of both orders, name."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tests.nn.agreement import agree, fails
from tests.ops import samples as s
from tests.ops.harness import Operation, Sample, check

FLOATS = s.FLOATS


def fn(name, *arguments, **options):
    """A call of nn.functional's `name` with these arguments after the tensors."""

    def call(t, *given, **drawn):
        return getattr(t.nn.functional, name)(*given, *arguments, **options, **drawn)

    return call


def activation(name, *arguments, ulp=4, grad_ulp=16, numbers=s.NUMBERS, kinds=FLOATS, **more):
    return Operation(
        f"{name}{list(arguments) or ''}",
        fn(name, *arguments),
        s.unary(kinds=kinds, numbers=numbers),
        ulp=ulp,
        grad_ulp=grad_ulp,
        measure="largest",
        **more,
    )


ACTIVATIONS = [
    activation("relu", ulp=0, grad_ulp=0),
    activation("relu6", ulp=0, grad_ulp=0),
    activation("hardtanh", ulp=0, grad_ulp=0),
    activation("hardtanh", -2.0, 0.5, ulp=0, grad_ulp=0),
    # In float64 PyTorch's own constant 1/6 has float32's precision.
    activation("hardsigmoid", kinds=("float32",), second_order=False),
    activation("hardswish"),
    activation("elu", numbers=s.FINITE),
    activation("elu", 1.7, numbers=s.FINITE),
    activation("celu", 2.0, numbers=s.FINITE),
    activation("selu", numbers=s.FINITE),
    activation("leaky_relu"),
    activation("leaky_relu", 0.3),
    activation("threshold", 0.5, -3.0),
    activation("silu", numbers=s.FINITE),
    activation("mish", numbers=s.FINITE),
    activation("softplus", numbers=s.FINITE),
    activation("softplus", 2.0, 2.9, numbers=s.FINITE),
    activation("logsigmoid", numbers=s.FINITE),
    activation("softsign", numbers=s.FINITE),
    activation("tanhshrink", numbers=s.FINITE),
    activation("sigmoid", numbers=s.FINITE),
    activation("tanh", numbers=s.FINITE),
]


@pytest.mark.parametrize("operation", ACTIVATIONS, ids=repr)
@given(data=st.data())
def test_activation(operation, data):
    check(operation, data.draw(operation.samples))


@st.composite
def predictions(draw, numbers=s.FINITE, target="halves", reductions=("none", "mean", "sum")):
    """A prediction and a target of the same shape, and a reduction."""
    shape = draw(s.shapes())
    dtype = draw(st.sampled_from(FLOATS))
    x = s.filled(shape, dtype, draw(st.sampled_from(numbers)), draw(s.seeds))
    y = s.filled(shape, dtype, target, draw(s.seeds))
    return Sample([x, y], {"reduction": draw(st.sampled_from(reductions))})


def loss(name, samples=None, ulp=8, grad_ulp=32, **options):
    return Operation(
        f"{name}{options or ''}",
        fn(name, **options),
        predictions() if samples is None else samples,
        ulp=ulp,
        grad_ulp=grad_ulp,
        measure="largest",
        second_order=False,
    )


UNIT = predictions(numbers=("unit",), target="unit")
LOSSES = [
    loss("mse_loss"),
    loss("l1_loss"),
    loss("smooth_l1_loss"),
    loss("smooth_l1_loss", beta=0.5),
    loss("smooth_l1_loss", beta=0.0),
    loss("huber_loss"),
    loss("huber_loss", delta=2.0),
    loss("binary_cross_entropy", UNIT),
    loss("binary_cross_entropy_with_logits", predictions(target="unit")),
    loss("kl_div", predictions(target="unit", reductions=("none", "sum", "batchmean"))),
    loss("kl_div", predictions(reductions=("none", "sum")), log_target=True),
]


@st.composite
def affine(draw):
    """An input of any dimensions, a weight and a bias, that may be expanded or missing."""
    *lead, inputs = draw(s.shapes(min_dims=1))
    outputs = draw(st.integers(1, 3))
    dtype = draw(st.sampled_from(FLOATS))
    x = draw(s.arrays((*lead, inputs), (dtype,), s.FINITE))
    weight = draw(s.arrays((outputs, inputs), (dtype,), s.FINITE))
    bias = draw(st.sampled_from([None, (outputs,), (1,)]))
    if bias is not None:
        bias = draw(s.arrays(bias, (dtype,), s.FINITE))
    return Sample([x, weight, bias])


@given(sample=affine())
def test_linear(sample):
    operation = Operation("linear", fn("linear"), affine(), 4, measure="absolute", grad_fn=False)
    check(operation, sample)


def test_names_of_linear():
    def job(e):
        weight, bias = e.ones(2, 3, requires_grad=True), e.ones(2)
        inputs = [e.ones(4, 3), e.ones(3), e.ones(2, 4, 3)]
        results = [e.nn.functional.linear(x, weight, b) for x in inputs for b in (bias, None)]
        return [result.grad_fn.name() for result in results]

    agree(job)


@pytest.mark.parametrize("operation", LOSSES, ids=repr)
@given(data=st.data())
def test_loss(operation, data):
    check(operation, data.draw(operation.samples))


def numbers(e, *shape, grad=False):
    """Numbers between -1 and 1 that are the same on both engines."""
    array = np.cos(np.arange(1, 1 + int(np.prod(shape)))).reshape(shape)
    return e.tensor(array, dtype=e.float64).requires_grad_(grad)


def value_and_gradients(e, result, *inputs):
    return result, e.autograd.grad(result.sum(), inputs)


def weighted_bce(e):
    x, y, w = (numbers(e, 3, 2, grad=True), numbers(e, 3, 2).abs(), numbers(e, 2).abs())
    logits = e.nn.functional.binary_cross_entropy_with_logits(x, y, w, pos_weight=w + 1)
    plain = e.nn.functional.binary_cross_entropy(x.sigmoid(), y, w)
    return logits, value_and_gradients(e, logits + plain, x)


def bce_at_the_edges(e):
    x = e.tensor([0.0, 1.0, 0.0, 1.0, 0.5]).requires_grad_()
    y = e.tensor([0.0, 1.0, 1.0, 0.0, 0.5]).requires_grad_()
    loss = e.nn.functional.binary_cross_entropy(x, y, reduction="none")
    return value_and_gradients(e, loss, x, y)


def prelu(shape, weights):
    def job(e):
        x, w = numbers(e, *shape, grad=True), (numbers(e, weights) - 2).requires_grad_()
        return value_and_gradients(e, e.nn.functional.prelu(x, w), x, w)

    return job


def glu(e):
    x = numbers(e, 3, 4, grad=True)
    both = e.nn.functional.glu(x).sum() + (e.nn.functional.glu(x[:2], 0) ** 2).sum()
    return value_and_gradients(e, both, x)


def inplace(name, *arguments):
    def job(e):
        x = numbers(e, 5, grad=True)
        y = x * 2
        result = getattr(e.nn.functional, name)(y, *arguments, inplace=True)
        return result is y, y._version, y, e.autograd.grad((y * y).sum(), x)

    return job


CASES = {
    "linear": lambda e: e.nn.functional.linear(numbers(e, 3, 4), numbers(e, 2, 4), numbers(e, 2)),
    "linear without bias": lambda e: e.nn.functional.linear(numbers(e, 3, 4), numbers(e, 2, 4)),
    "linear of a vector": lambda e: e.nn.functional.linear(numbers(e, 4), numbers(e, 2, 4)),
    "linear in 3 dimensions": lambda e: e.nn.functional.linear(
        numbers(e, 2, 3, 4), numbers(e, 2, 4), numbers(e, 2)
    ),
    "weighted bce": weighted_bce,
    "bce at the edges": bce_at_the_edges,
    "kl_div mean": lambda e: e.nn.functional.kl_div(numbers(e, 3, 2), numbers(e, 3, 2).abs()),
    "kl_div of zeros": lambda e: e.nn.functional.kl_div(
        numbers(e, 2), e.zeros(2, dtype=e.float64), reduction="sum"
    ),
    "mse_loss broadcast": lambda e: e.nn.functional.mse_loss(numbers(e, 3, 1), numbers(e, 3)),
    "mse_loss weighted": lambda e: e.nn.functional.mse_loss(
        numbers(e, 3), numbers(e, 3) * 2, weight=numbers(e, 3).abs()
    ),
    "l1_loss weighted": lambda e: e.nn.functional.l1_loss(
        numbers(e, 3), numbers(e, 3) * 2, weight=numbers(e, 3).abs(), reduction="none"
    ),
    "huber_loss weighted": lambda e: e.nn.functional.huber_loss(
        numbers(e, 3), numbers(e, 3) * 2, weight=numbers(e, 3).abs()
    ),
    "legacy arguments": lambda e: [
        e.nn.functional.l1_loss(numbers(e, 3), -numbers(e, 3), size_average=a, reduce=r)
        for a, r in ((True, None), (False, None), (None, True), (None, False), (False, False))
    ],
    "prelu": prelu((2, 3, 2), 3),
    "prelu of one weight": prelu((2, 3), 1),
    "prelu of a vector": prelu((4,), 1),
    "glu": glu,
    "softmax without dim": lambda e: [
        getattr(e.nn.functional, name)(numbers(e, *[2] * ndim))
        for name in ("softmax", "log_softmax", "softmin")
        for ndim in range(1, 5)
    ],
    "softmin": lambda e: e.nn.functional.softmin(numbers(e, 2, 3), dim=0, dtype=e.float64),
    **{
        f"{name} in place": inplace(name, *arguments)
        for name, *arguments in (
            ("relu",),
            ("relu6",),
            ("hardtanh", -0.5, 0.5),
            ("hardswish",),
            ("elu", 1.3),
            ("celu", 2.0),
            ("selu",),
            ("leaky_relu", 0.3),
            ("threshold", 0.5, 2.0),
            ("silu",),
            ("mish",),
        )
    },
}


@pytest.mark.parametrize("case", CASES)
def test_case(case):
    agree(CASES[case], tolerance=1e-12)


ERRORS = {
    "linear sizes": lambda e: e.nn.functional.linear(e.ones(2, 3), e.ones(4, 2)),
    "linear types": lambda e: e.nn.functional.linear(e.ones(2, 3), e.ones(4, 3).double()),
    "linear of types": lambda e: e.nn.functional.linear(
        e.ones(2, 3), e.ones(4, 3), e.ones(4, dtype=e.float64)
    ),
    "linear of other types": lambda e: e.nn.functional.linear(
        e.ones(2, 3), e.ones(4, 3, dtype=e.float64), e.ones(4)
    ),
    "linear of an integer": lambda e: e.nn.functional.linear(e.arange(3), e.ones(4, 3), e.ones(4)),
    "linear bias": lambda e: e.nn.functional.linear(e.ones(2, 3), e.ones(4, 3), e.ones(5)),
    "linear biased sizes": lambda e: e.nn.functional.linear(
        e.ones(2, 2, 3), e.ones(4, 2), e.ones(4)
    ),
    "linear of a number": lambda e: e.nn.functional.linear(e.tensor(1.0), e.ones(4, 2), e.ones(4)),
    "linear of a vector": lambda e: e.nn.functional.linear(e.ones(2, 3), e.ones(3), e.ones(1)),
    "linear in 3 dimensions": lambda e: e.nn.functional.linear(
        e.ones(2, 3), e.ones(1, 4, 3), e.ones(4)
    ),
    "linear of a list": lambda e: e.nn.functional.linear([1.0], e.ones(4, 2)),
    "hardtanh": lambda e: e.nn.functional.hardtanh(e.ones(2), 2, 1),
    "celu": lambda e: e.nn.functional.celu(e.ones(2), 0.0),
    "glu of a number": lambda e: e.nn.functional.glu(e.tensor(1.0)),
    "glu of an odd size": lambda e: e.nn.functional.glu(e.ones(2, 3)),
    "prelu": lambda e: e.nn.functional.prelu(e.ones(2, 3), e.ones(2)),
    "dropout": lambda e: e.nn.functional.dropout(e.ones(2), 1.5),
    "dropout1d": lambda e: e.nn.functional.dropout1d(e.ones(2)),
    "reduction": lambda e: e.nn.functional.mse_loss(e.ones(2), e.ones(2), reduction="x"),
    "beta": lambda e: e.nn.functional.smooth_l1_loss(e.ones(2), e.ones(2), beta=-1),
    "delta": lambda e: e.nn.functional.huber_loss(e.ones(2), e.ones(2), delta=0),
    "bce sizes": lambda e: e.nn.functional.binary_cross_entropy(e.ones(2), e.ones(2, 1)),
    "bce range": lambda e: e.nn.functional.binary_cross_entropy(e.ones(2) * 2, e.ones(2)),
    "bce logits": lambda e: e.nn.functional.binary_cross_entropy_with_logits(e.ones(2), e.ones(1)),
    "weights": lambda e: e.nn.functional.mse_loss(e.ones(2), e.ones(2), weight=e.ones(1)),
    "leaf": lambda e: e.nn.functional.relu(e.ones(2, requires_grad=True), inplace=True),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error(case):
    assert fails(ERRORS[case])
    agree(ERRORS[case])


def of_borders(mode, count):
    """Borders of images of which the batch, the channels or the pixels are none."""
    shapes = [[3, 0], [0, 3], [0], [0, 0]]
    images = [shape + [4] * count for shape in shapes] + [[3] + [0] * count, [3, 4] + [0] * count]
    for shape in images:
        yield lambda e, s=shape: e.nn.functional.pad(e.zeros(s), [2] * (2 * count), mode=mode)


def of_probabilities(reduction):
    for shape in [(5, 0), (0, 5), (0,), (0, 0), (2, 0, 3)]:
        for smoothing in (0.0, 0.1):
            yield lambda e, s=shape, amount=smoothing: e.nn.functional.cross_entropy(
                e.zeros(s), e.zeros(s), reduction=reduction, label_smoothing=amount
            )


def without_channels(e, shape):
    """A convolution of nothing, and the gradient of its bias."""
    bias = e.ones(3, requires_grad=True)
    out = e.nn.functional.conv1d(e.zeros(shape), e.zeros(3, 0, 2), bias)
    out.sum().backward()
    return out, bias.grad


def of_sizes():
    resize = {"size": [(2.0, 2), (3, 2)], "scale_factor": [1e20, -1e20, math.inf, math.nan]}
    for name, values in resize.items():
        for value in values:
            yield lambda e, given={name: value}: e.nn.functional.interpolate(
                e.ones(1, 1, 4, 4), mode="bilinear", **given
            )
    for kind in ("int32", "int64", "bool", "uint8"):
        yield lambda e, kind=kind: e.nn.functional.interpolate(
            e.ones(1, 1, 4, dtype=getattr(e, kind)), 2
        )
    for shape in [(2, 0, 5), (0, 5), (0, 0, 5)]:
        yield lambda e, shape=shape: without_channels(e, shape)
    yield lambda e: e.nn.functional.fold(e.zeros(1, 12, 12), (4, 5), (2, 2), 8)
    for training in (True, False):
        yield lambda e, training=training: e.nn.BatchNorm1d(3).train(training)(
            e.zeros(0, 3, dtype=e.float64)
        )


EXTREME_SIZES = {
    **{f"{mode} {count}d": list(of_borders(mode, count))
       for mode in ("reflect", "replicate", "circular") for count in (1, 2, 3)},
    **{reduction: list(of_probabilities(reduction)) for reduction in ("mean", "sum", "none")},
    "others": list(of_sizes()),
}  # fmt: skip


@pytest.mark.parametrize("case", EXTREME_SIZES)
def test_sizes_of_nothing_and_of_too_much(case):
    for job in EXTREME_SIZES[case]:
        agree(job)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("inplace", [True, False])
def test_dropout(training, inplace):
    """Which numbers are dropped depends on PyTorch's build; how many, and the rest, do not."""
    e = tinygrad_mnist
    e.manual_seed(0)
    x = e.ones(100, 100, requires_grad=True)
    y = x * 3
    out = e.nn.functional.dropout(y, 0.25, training, inplace)
    assert (out is y) == (inplace or not training)
    values = set(out.unique().tolist()) if hasattr(out, "unique") else set(out.flatten().tolist())
    assert values == ({0.0, 4.0} if training else {3.0})
    kept = (out != 0).float().mean().item()
    assert abs(kept - (0.75 if training else 1)) < 0.02
    (gradient,) = e.autograd.grad(out.sum(), x)
    assert (gradient == out).all()


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_none_and_of_all(p):
    agree(lambda e: e.nn.functional.dropout(e.arange(6.0), p))


def test_dropout_of_channels():
    e = tinygrad_mnist
    e.manual_seed(0)
    out = e.nn.functional.dropout2d(e.ones(8, 16, 3, 3), 0.5)
    per_channel = out.reshape(8, 16, 9)
    assert set(per_channel.sum(2).flatten().tolist()) == {0.0, 18.0}
    alone = e.nn.functional.dropout1d(e.ones(16, 5), 0.5)
    assert set(alone.sum(1).tolist()) == {0.0, 10.0}


def classified(target, **settings):
    """The loss of scores in 1 to 4 dimensions, and its gradient."""

    def job(e):
        results = []
        for shape in ((3,), (4, 3), (2, 3, 5), (2, 3, 2, 2)):
            scores = (numbers(e, *shape) * 3).requires_grad_()
            wanted = target(e, shape)
            given = {k: v(e) if callable(v) else v for k, v in settings.items()}
            loss = e.nn.functional.cross_entropy(scores, wanted, **given)
            results.append((value_and_gradients(e, loss, scores), loss.grad_fn.name()))
        return results

    return job


def classes(e, shape):
    without = shape[:1] * (len(shape) > 1) + shape[2:]
    return e.arange(int(np.prod(without))).reshape(without) % 3


def probabilities(e, shape):
    return numbers(e, *shape).softmax(0 if len(shape) == 1 else 1)


CLASSIFICATION = {
    f"{name} {reduction} {smoothing} {'weighted' if weight else ''}": classified(
        target, reduction=reduction, label_smoothing=smoothing, weight=weight
    )
    for name, target in (("classes", classes), ("probabilities", probabilities))
    for reduction in ("none", "mean", "sum")
    for smoothing in (0.0, 0.3)
    for weight in (None, lambda e: e.tensor([0.5, 2.0, 1.0], dtype=e.float64))
}


@pytest.mark.parametrize("case", CLASSIFICATION)
def test_cross_entropy(case):
    agree(CLASSIFICATION[case], tolerance=1e-12)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_smoothing_leaves_out_what_is_ignored(weighted, reduction):
    def job(e):
        weight = e.tensor([0.5, 2.0, 1.0], dtype=e.float64) if weighted else None
        return e.nn.functional.cross_entropy(
            numbers(e, 4, 3),
            e.tensor([0, 2, 1, 2]),
            weight,
            ignore_index=2,
            reduction=reduction,
            label_smoothing=0.2,
        )

    agree(job, tolerance=1e-12)


ENTROPY_ERRORS = {
    "type": lambda e: (e.ones(2, 3), e.ones(2, 3, dtype=e.int64), {}),
    "ignored": lambda e: (e.ones(2, 3), e.ones(2, 3), {"ignore_index": 1}),
    "weight": lambda e: (e.ones(2, 3), e.ones(2, 3), {"weight": e.ones(2)}),
    "smoothing": lambda e: (e.ones(2, 3), e.ones(2, dtype=e.int64), {"label_smoothing": 2.5}),
    "reduction": lambda e: (e.ones(2, 3), e.ones(2, dtype=e.int64), {"reduction": "x"}),
}


@pytest.mark.parametrize("case", ENTROPY_ERRORS)
def test_cross_entropy_refuses(case):
    def job(e):
        scores, target, settings = ENTROPY_ERRORS[case](e)
        return e.nn.functional.cross_entropy(scores, target, **settings)

    assert fails(job)
    agree(job)


def test_older_arguments_of_classification():
    def job(e):
        target = e.tensor([0, 2])
        functions = (e.nn.functional.nll_loss, e.nn.functional.cross_entropy)
        return [f(numbers(e, 2, 3), target, size_average=False) for f in functions] + [
            f(numbers(e, 2, 3), target, reduce=False) for f in functions
        ]

    agree(job, tolerance=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_bytes_are_averaged_in_whole_numbers(mode):
    numbers = np.random.default_rng(0).integers(0, 256, (2, 3, 17, 23)).astype(np.uint8)
    agree(
        lambda e: [
            e.nn.functional.interpolate(e.from_numpy(numbers), size, mode=mode, antialias=True)
            for size in ((9, 9), (31, 12), (1, 40), (17, 5))
        ]
    )


@pytest.mark.parametrize(
    "sizes",
    [((0, 1, 3, 3), (0, 2, 2, 2)), ((1, 0, 3, 3), (1, 2, 2, 2)), ((2, 1, 3, 3), (2, 0, 2, 2))],
)
def test_a_grid_without_pictures_or_places(sizes):
    x, grid = map(tinygrad_mnist.rand, sizes)
    out = tinygrad_mnist.nn.functional.grid_sample(x, grid, align_corners=False)
    assert out.shape == (*x.shape[:2], *grid.shape[1:3])
