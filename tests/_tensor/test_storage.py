"""Memory as scripts look at it: storages, `set_`, `resize_`, `as_strided`, on both engines."""

import pytest
import torch

import tinygrad_mnist
from tests._tensor.both_engines import agree, lines

ENGINES = (tinygrad_mnist, torch)


def told(engine):
    x = engine.arange(6.0).reshape(2, 3)
    row = x[1]
    storage, raw = row.storage(), row.untyped_storage()
    yield len(storage), storage.tolist(), storage.nbytes(), raw.nbytes(), len(raw)
    yield raw.data_ptr() == x.data_ptr() == x.untyped_storage().data_ptr(), storage[4]
    storage[4] = 40.0
    yield x.tolist(), str(storage.dtype), storage.element_size()
    yield engine.as_strided(x, (2, 2), (1, 2)).tolist(), x.as_strided((2,), (2,), 1).tolist()
    view = x.as_strided((3,), (2,))
    view += 1
    yield x.tolist(), x._version
    leaf = engine.ones(4, requires_grad=True)
    (leaf.as_strided((3, 2), (1, 1)) * engine.arange(6.0).reshape(3, 2)).sum().backward()
    yield leaf.grad.tolist()
    y = engine.arange(6)
    y.resize_(2, 2)
    yield y.tolist(), y.resize_(5).tolist(), y.resize_((0,)).shape == (0,), y.resize_as_(x[0]).shape
    z = engine.zeros(2)
    yield z.set_(x) is z, z.tolist(), z.set_(x.storage(), 1, (2, 2), (2, 1)).tolist()
    yield z.set_().shape, z.set_(engine.ones(3)).tolist(), z.as_strided_((2,), (2,)).tolist()
    for call in (lambda: leaf.resize_(2), lambda: engine.as_strided(x, (9,), (3,))):
        with pytest.raises(RuntimeError) as caught:
            call()
        yield str(caught.value)[:30].partition(":")[0].partition("(")[0][:25]


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_memory_is_shown_as_pytorch_shows_it():
    for ours, theirs in zip(*map(told, ENGINES), strict=True):
        if isinstance(ours, str) and "strided" in ours:
            continue
        assert ours == theirs


@pytest.mark.filterwarnings("ignore:torch.set_default_tensor_type")
def test_default_types_by_old_names():
    for engine in ENGINES:
        engine.set_default_tensor_type(engine.DoubleTensor)
        assert engine.ones(1).dtype is engine.float64
        engine.set_default_tensor_type("torch.FloatTensor")
        assert engine.ones(1).dtype is engine.float32


@pytest.mark.parametrize("density", [False, True])
def test_histograms(density):
    found = []
    for engine in ENGINES:
        x, w = engine.tensor([1.0, 2.0, 1.0, 4.0, 9.0]), engine.tensor([1.0, 2.0, 4.0, 0.5, 3.0])
        edges = engine.tensor([0.0, 1.0, 4.0, 9.0])
        for result in (
            engine.histogram(x, 4, density=density), engine.histogram(x, edges, density=density),
            engine.histogram(x, 3, range=(1.0, 4.0), weight=w, density=density),
        ):  # fmt: skip
            found.append([pytest.approx(result.hist.tolist()), result.bin_edges.tolist()])
    assert [each[1] for each in found[:3]] == [each[1] for each in found[3:]]
    assert [each[0].expected for each in found[:3]] == [each[0] for each in found[3:]]


OTHER_TYPES = lines("""
    torch.empty(0, dtype=kind).set_(a.storage())
    torch.empty(0, dtype=kind).set_(a)
    torch.empty(0, dtype=kind).set_(a.storage(), 0, a.size(), a.stride())
    torch.empty(0, dtype=kind).set_(a.untyped_storage())
    torch.empty(0, dtype=kind).set_(a.untyped_storage(), 1, (2,), (1,))
    torch.tensor(a.storage(), dtype=kind)
    torch.tensor(a.storage())
    torch.tensor(a.untyped_storage(), dtype=kind)
    torch.tensor(a.untyped_storage())
    a[:0].data_ptr(), torch.empty(0, dtype=kind).data_ptr()
    a.to(kind).type(torch.Tensor)
    a.to(kind).index_fill_(0, torch.tensor([0]), 1j)
    a.to(kind).masked_fill_(a > 2, 1j)
    torch.bernoulli(a / 9, out=torch.ones(6, dtype=kind)).le(1)
    torch.cummax(a, 0, out=(torch.empty(0, dtype=kind), torch.empty(0).long()))[0]
    torch.logcumsumexp(a, 0, out=torch.empty(0, dtype=kind))
    torch.isclose(a, a, torch.tensor(1), torch.tensor(0.5))
    torch.isclose(a, a, 1e-5, torch.tensor(0.5, requires_grad=True))
    torch.linspace(torch.tensor(0.0, requires_grad=True), torch.tensor(3, dtype=kind), 4)
    torch.diff(a.view(2, 3).to(kind), prepend=torch.ones(3, dtype=kind))
    torch.diff(a.view(2, 3).to(kind), append=torch.ones(1, 3, dtype=kind))
    a.to(kind).scatter(0, torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0, 4, dtype=kind))
    torch.zeros(0, 3, dtype=kind).index_select(0, torch.tensor([0]))
    torch.zeros(0, 3, dtype=kind).index_select(1, torch.tensor([5]))
    torch.repeat_interleave(torch.tensor([2, -1]))
""")


@pytest.mark.parametrize("source", OTHER_TYPES)
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_memory_and_results_of_other_types(source):
    for kind in ("float64", "int16", "float32"):
        agree(f"kind = torch.{kind}\na = torch.arange(6.0)\n{source}", messages=False)
