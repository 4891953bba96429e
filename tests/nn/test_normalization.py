"""Normalisation and embedding against PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tests.nn.agreement import agree, fails
from tests.ops import samples as s
from tests.ops.harness import Operation, Sample, check


def numbers(e, *shape, dtype="float64"):
    array = np.cos(np.arange(1, 1 + int(np.prod(shape)))).reshape(shape)
    return e.tensor(array, dtype=getattr(e, dtype))


@st.composite
def layered(draw):
    """An input, how many of its dimensions are normalised, and perhaps a weight and a bias."""
    shape = draw(s.shapes(min_dims=1, min_side=2))
    count = draw(st.integers(1, len(shape)))
    dtype = draw(st.sampled_from(s.FLOATS))
    arrays = [s.filled(shape, dtype, "normal", draw(s.seeds))]
    for _ in range(2):
        array = s.filled(shape[-count:], dtype, "normal", draw(s.seeds))
        arrays.append(array if draw(st.booleans()) else None)
    return Sample(arrays, {"count": count})


def layer_norm(t, x, weight, bias, *, count):
    return t.nn.functional.layer_norm(x, tuple(x.shape)[-count:], weight, bias)


@given(sample=layered())
def test_layer_norm(sample):
    operation = Operation(
        "layer_norm", layer_norm, None, 64, 2000, measure="largest", second_order=False
    )
    check(operation, sample)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm(training, shape, affine):
    def job(e):
        x = numbers(e, *shape).requires_grad_()
        mean, var = numbers(e, 3), numbers(e, 3).abs()
        weight, bias = numbers(e, 3).requires_grad_(), (numbers(e, 3) * 2).requires_grad_()
        parameters = (weight, bias) if affine else ()
        y = e.nn.functional.batch_norm(
            x, mean, var, *parameters, training=training, momentum=0.3, eps=1e-3
        )
        gradients = e.autograd.grad((y**3).sum(), [x, *parameters])
        return y, gradients, mean, var, y.grad_fn.name()

    agree(job, tolerance=1e-12)


LAYERS = {
    "LayerNorm": (lambda nn: nn.LayerNorm(4), (2, 3, 4)),
    "LayerNorm of two dimensions": (lambda nn: nn.LayerNorm([3, 4], eps=1e-3), (2, 3, 4)),
    "LayerNorm without bias": (lambda nn: nn.LayerNorm(4, bias=False), (2, 4)),
    "LayerNorm plain": (lambda nn: nn.LayerNorm((4,), elementwise_affine=False), (2, 4)),
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(3), (4, 3)),
    "BatchNorm1d in evaluation": (lambda nn: nn.BatchNorm1d(3).eval(), (4, 3, 2)),
    "BatchNorm1d average": (lambda nn: nn.BatchNorm1d(3, momentum=None), (4, 3)),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(3, eps=1e-3, momentum=0.3), (4, 3, 2, 2)),
    "BatchNorm2d plain": (lambda nn: nn.BatchNorm2d(3, affine=False), (4, 3, 2, 2)),
    "BatchNorm2d without bias": (lambda nn: nn.BatchNorm2d(3, bias=False), (4, 3, 2, 2)),
    "BatchNorm2d untracked": (
        lambda nn: nn.BatchNorm2d(3, track_running_stats=False),
        (4, 3, 2, 2),
    ),
    "BatchNorm2d untracked, evaluated": (
        lambda nn: nn.BatchNorm2d(3, track_running_stats=False).eval(),
        (4, 3, 2, 2),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    make, shape = LAYERS[name]

    def job(e):
        layer = make(e.nn)
        x = numbers(e, *shape, dtype="float32")
        outputs = [layer(x), layer(x * 2 + 1)]
        return repr(layer), outputs, dict(layer.state_dict()), [n for n, _ in layer.named_buffers()]

    agree(job, tolerance=2e-6)


def test_batches_counted_by_older_states_are_not_missing():
    def job(e):
        layer = e.nn.BatchNorm1d(2)
        layer(numbers(e, 3, 2, dtype="float32"))
        state = {k: v for k, v in layer.state_dict().items() if k != "num_batches_tracked"}
        other = e.nn.BatchNorm1d(2)
        return str(other.load_state_dict(state)), dict(other.state_dict())

    agree(job, tolerance=1e-6)


ERRORS = {
    "layer_norm size": lambda e: e.nn.functional.layer_norm(e.ones(2, 3), [4]),
    "layer_norm weight": lambda e: e.nn.functional.layer_norm(e.ones(2, 3), [2, 3], e.ones(3)),
    "layer_norm bias": lambda e: e.nn.functional.layer_norm(
        e.ones(2, 3), [3], e.ones(3), e.ones(4)
    ),
    "layer_norm of none": lambda e: e.nn.functional.layer_norm(e.ones(2, 3), []),
    "layer_norm of integers": lambda e: e.nn.functional.layer_norm(e.ones(2, 3).long(), [3]),
    "layer_norm types": lambda e: e.nn.functional.layer_norm(e.ones(2, 3).double(), [3], e.ones(3)),
    "no mean": lambda e: e.nn.functional.batch_norm(e.ones(2, 3), None, None),
    "no variance": lambda e: e.nn.functional.batch_norm(e.ones(2, 3), e.ones(3), None),
    "mean": lambda e: e.nn.functional.batch_norm(e.ones(2, 3), e.ones(4), e.ones(3)),
    "variance": lambda e: e.nn.functional.batch_norm(e.ones(2, 3), e.ones(3), e.ones(4)),
    "weight": lambda e: e.nn.functional.batch_norm(e.ones(2, 3), e.ones(3), e.ones(3), e.ones(4)),
    "bias": lambda e: e.nn.functional.batch_norm(
        e.ones(2, 3), e.ones(3), e.ones(3), e.ones(3), e.ones(2)
    ),
    "one number": lambda e: e.nn.functional.batch_norm(e.ones(1, 3), None, None, training=True),
    "a vector": lambda e: e.nn.functional.batch_norm(e.ones(3), None, None, training=True),
    "types": lambda e: e.nn.functional.batch_norm(e.ones(2, 3).double(), e.ones(3), e.ones(3)),
    "eps": lambda e: e.nn.functional.batch_norm(e.ones(2, 3), e.ones(3), e.ones(3), eps=-1.0),
    "no eps": lambda e: e.nn.functional.batch_norm(
        e.ones(2, 3), None, None, training=True, eps=0.0
    ),
    "BatchNorm1d": lambda e: e.nn.BatchNorm1d(3)(e.ones(2)),
    "BatchNorm2d": lambda e: e.nn.BatchNorm2d(3)(e.ones(2, 3)),
    "channels": lambda e: e.nn.BatchNorm1d(3)(e.ones(2, 4)),
    "row": lambda e: e.nn.functional.embedding(e.tensor([5]), e.ones(3, 2)),
    "negative row": lambda e: e.nn.functional.embedding(e.tensor([-1]), e.ones(3, 2)),
    "floats": lambda e: e.nn.functional.embedding(e.ones(2), e.ones(3, 2)),
    "bytes": lambda e: e.nn.functional.embedding(e.ones(2, dtype=e.uint8), e.ones(3, 2)),
    "vector": lambda e: e.nn.functional.embedding(e.tensor([1]), e.ones(3)),
    "list": lambda e: e.nn.functional.embedding([1], e.ones(3, 2)),
    "padding": lambda e: e.nn.functional.embedding(e.tensor([1]), e.ones(3, 2), padding_idx=3),
    "Embedding padding": lambda e: e.nn.Embedding(3, 2, padding_idx=-4),
    "Embedding weight": lambda e: e.nn.Embedding(3, 2, _weight=e.ones(3, 3)),
    "from_pretrained": lambda e: e.nn.Embedding.from_pretrained(e.ones(3)),
    "one_hot of floats": lambda e: e.nn.functional.one_hot(e.ones(2)),
    "one_hot of -1": lambda e: e.nn.functional.one_hot(e.tensor([-1])),
    "one_hot above": lambda e: e.nn.functional.one_hot(e.tensor([3]), 3),
    "one_hot of none": lambda e: e.nn.functional.one_hot(e.tensor([], dtype=e.int64)),
    "one_hot of no classes": lambda e: e.nn.functional.one_hot(e.tensor([0]), 0),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error(case):
    assert fails(ERRORS[case])
    agree(ERRORS[case])


@pytest.mark.parametrize("settings", [{}, {"padding_idx": 1}, {"padding_idx": -2},
                                      {"scale_grad_by_freq": True}], ids=str)  # fmt: skip
@pytest.mark.parametrize("rows", [[1, 0, 1, 2], [[2, 2], [0, 1]], [], 1], ids=str)
def test_embedding(settings, rows):
    def job(e):
        table = numbers(e, 3, 2).requires_grad_()
        found = e.nn.functional.embedding(e.tensor(rows, dtype=e.int64), table, **settings)
        return found, e.autograd.grad((found * 3).sum(), table), found.grad_fn.name()

    agree(job, tolerance=1e-15)


def test_embedding_shortens_rows():
    def job(e):
        table = (numbers(e, 4, 2, dtype="float32") * 3).requires_grad_()
        with e.no_grad():
            found = e.nn.functional.embedding(
                e.tensor([0, 2, 2], dtype=e.int32), table, max_norm=1.5, norm_type=1.0
            )
        return found, table

    agree(job, tolerance=1e-6)


EMBEDDINGS = {
    "plain": lambda e: e.nn.Embedding(5, 3),
    "padded": lambda e: e.nn.Embedding(5, 3, padding_idx=-1),
    "all settings": lambda e: e.nn.Embedding(
        5, 3, 2, max_norm=0.5, norm_type=3.0, scale_grad_by_freq=True
    ),
    "pretrained": lambda e: e.nn.Embedding.from_pretrained(numbers(e, 5, 3, dtype="float32")),
    "pretrained, learned": lambda e: e.nn.Embedding.from_pretrained(
        numbers(e, 5, 3, dtype="float32"), freeze=False, padding_idx=0
    ),
}


@pytest.mark.parametrize("case", EMBEDDINGS)
def test_embedding_layer(case):
    def job(e):
        layer = EMBEDDINGS[case](e)
        weight = layer.weight.requires_grad, layer.weight.detach().clone()
        with e.no_grad():
            found = layer(e.tensor([[0, 4], [2, 2]]))
        return repr(layer), weight, found, layer.weight

    agree(job, tolerance=1e-6)


def test_sparse_gradients_are_refused():
    layer = tinygrad_mnist.nn.Embedding(3, 2, sparse=True)
    assert "sparse=True" in repr(layer)
    with pytest.raises(NotImplementedError, match="the gradient is then dense"):
        layer(tinygrad_mnist.tensor([1]))


def test_one_hot():
    agree(
        lambda e: [
            e.nn.functional.one_hot(e.tensor([0, 2])),
            e.nn.functional.one_hot(e.tensor([[0], [1]]), 4),
            e.nn.functional.one_hot(e.tensor(1), num_classes=2),
            e.nn.functional.one_hot(e.tensor([], dtype=e.int64), 3),
        ]
    )
