"""Making tensors: `tensor` of everything, the factories, ranges, and the old constructors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tests._tensor.both_engines import ENGINES, agree, lines

DATA = lines("""
    torch.tensor(1.0), torch.tensor(1), torch.tensor(True), torch.tensor([]), torch.tensor(2**62)
    torch.tensor([[]]), torch.tensor([[], []]), torch.tensor([[[]], [[]]]), torch.tensor(range(0))
    torch.tensor([[], 1]), torch.tensor([[], [1]])
    torch.tensor([1, 2.5]), torch.tensor([True, 2])
    torch.tensor([True, 2.5]), torch.tensor([[1], [2]])
    torch.tensor([[1, 2], [3]])
    torch.tensor([[1], [2, 3]])
    torch.tensor([[1], []])
    torch.tensor([1, [2]])
    torch.tensor([1.0, [2]])
    torch.tensor([1, []])
    torch.tensor([[1], 2])
    torch.tensor([[[1]], [2]])
    torch.tensor("a")
    torch.tensor("")
    torch.tensor(["a"])
    torch.tensor([""])
    torch.tensor([1, "a"])
    torch.tensor(b"abc")
    torch.tensor([b"abc"])
    torch.tensor(None)
    torch.tensor([None])
    torch.tensor([1, None])
    torch.tensor({})
    torch.tensor({1: 2})
    torch.tensor({1})
    torch.tensor(object())
    torch.tensor([object()])
    torch.tensor(float)
    torch.tensor(x for x in [1])
    torch.tensor(iter([1]))
    torch.tensor(range(3)), torch.tensor((1, 2))
    torch.tensor([(1, 2), [3, 4]]), torch.tensor([range(2)])
    torch.tensor([np.float32(1), np.float32(2)]), torch.tensor([np.float64(1), 2])
    torch.tensor([np.int32(1)])
    torch.tensor(np.float64(1)), torch.tensor(np.float32(1))
    torch.tensor(np.int32(1)), torch.tensor(np.bool_(1))
    torch.tensor(np.array([1, 2])), torch.tensor(np.array([1, 2], np.int32))
    torch.tensor(np.array(1.5))
    torch.tensor([np.array([1, 2]), np.array([3, 4])]), torch.tensor([np.array([1.0, 2]), [3, 4]])
    torch.tensor(np.arange(6).reshape(2, 3)[:, ::2]), torch.tensor(np.zeros((0, 3)))
    torch.tensor(np.array([]))
    torch.tensor(np.arange(6).reshape(2, 3).T).stride()
    torch.tensor(np.ones((2, 3), order="F")).stride()
    torch.tensor(np.arange(4.0)[::-1])
    torch.tensor(np.array([1, 2], dtype=">f4"))
    torch.tensor([torch.tensor(1), torch.tensor(2)]), torch.tensor([torch.tensor(1.0), 2])
    torch.tensor([torch.tensor([1.0])])
    torch.tensor([[torch.tensor(1.0), 2], [3, 4]]), torch.tensor([torch.tensor(True), 2])
    torch.tensor([torch.tensor(1.0, dtype=torch.float64), 2])
    torch.tensor([torch.tensor(1, dtype=torch.int32)])
    torch.tensor([1, torch.tensor([1])]), torch.tensor([[torch.tensor([1])]])
    torch.tensor([torch.tensor([1.0, 2]), torch.tensor([2.0, 3])])
    torch.tensor(torch.ones(2)), torch.tensor(torch.ones(2), dtype=torch.int64)
    torch.tensor([1, 2], dtype=torch.float32), torch.tensor([1.7, -2.7], dtype=torch.int64)
    torch.tensor([0.0, 2], dtype=torch.bool)
    torch.tensor([1, 2], dtype=float), torch.tensor([1.5], dtype=int)
    torch.tensor([1, 0], dtype=bool)
    torch.tensor([1, 2], dtype="float32")
    torch.tensor([1, 2], dtype=np.float32)
    torch.tensor([255, -1, -255], dtype=torch.uint8)
    torch.tensor([math.nan, 0.0], dtype=torch.bool)
    torch.tensor([256], dtype=torch.uint8)
    torch.tensor(300, dtype=torch.uint8)
    torch.tensor([-1.5], dtype=torch.uint8)
    torch.tensor([2**31], dtype=torch.int32)
    torch.tensor([-(2**31) - 1], dtype=torch.int32)
    torch.tensor([2**63])
    torch.tensor(2**63)
    torch.tensor(-(2**63)), torch.tensor(2**64, dtype=torch.float32), torch.tensor([1.0, 2**70])
    torch.tensor(1e40), torch.tensor([1e40, 1]), torch.tensor(np.array([1e40]), dtype=torch.float32)
    torch.tensor(math.inf, dtype=torch.int64)
    torch.tensor(math.nan, dtype=torch.int64)
    torch.tensor([1e20], dtype=torch.int64)
    torch.tensor(np.array([300]), dtype=torch.uint8)
    torch.tensor([1.0, 2], requires_grad=True), torch.tensor([1, 2], device="cpu")
    torch.tensor([1, 2], requires_grad=True)
    torch.tensor([1, 2]).new_tensor([1.5]), torch.ones(2).new_tensor([1, 2])
    torch.tensor([1]).new_tensor(np.array([1.5]))
""")


@pytest.mark.parametrize("source", DATA)
def test_tensor_of_everything(source):
    agree(source)


def test_data_is_copied():
    agree("a = np.array([1.0, 2]) ; t = torch.tensor(a) ; a[0] = 5 ; t".replace(" ; ", "\n"))
    agree("a = torch.tensor([1.0, 2]) ; t = torch.tensor(a) ; a[0] = 5 ; t".replace(" ; ", "\n"))


def test_copying_a_tensor_by_tensor_warns():
    agree("torch.tensor(torch.ones(2))", warned=True)


FACTORIES = lines("""
    torch.zeros(2, 3), torch.zeros((2, 3)), torch.zeros([2, 3])
    torch.zeros(size=(2,)), torch.zeros(torch.Size([2]))
    torch.zeros(()), torch.zeros([]), torch.zeros(0)
    torch.zeros(2, 0), torch.zeros(np.int64(2)), torch.zeros(torch.tensor(2))
    torch.zeros((2, torch.tensor(3))), torch.zeros(2, dtype=torch.int64)
    torch.zeros(2, dtype=int), torch.zeros(2, dtype=None)
    torch.zeros(2.0)
    torch.zeros("a")
    torch.zeros(None)
    torch.zeros(True)
    torch.zeros(-1)
    torch.zeros(2, -1)
    torch.zeros()
    torch.zeros(torch.tensor([2, 3]))
    torch.zeros((2,), (3,))
    torch.zeros((2, 3.0))
    torch.zeros(3, dtype=np.float32)
    torch.zeros(2, requires_grad=True)
    torch.zeros(2, device="cpu", layout=torch.strided, pin_memory=False)
    torch.zeros(2, dtype=torch.int64, requires_grad=True)
    torch.ones(2, 3), torch.ones(2, dtype=torch.bool), torch.ones(())
    torch.empty(2, 3).shape, torch.empty(0)
    torch.ones(2, -1)
    torch.empty(-1)
    torch.full((2,), 3), torch.full([2], 1.5)
    torch.full((), True), torch.full((2,), 3.0, requires_grad=True)
    torch.full(size=(2,), fill_value=3), torch.full((2,), np.float32(3))
    torch.full((2,), np.int64(3))
    torch.full((2,), torch.tensor(3)), torch.full((2,), 1.5, dtype=torch.int64)
    torch.full((2,), -1, dtype=torch.uint8)
    torch.full((2,), math.inf), torch.full((2, 3), True, dtype=torch.float32)
    torch.full((2,), 300, dtype=torch.uint8)
    torch.full((2,), 2**40, dtype=torch.int32)
    torch.full((2,), 2**70)
    torch.full((2,), math.nan, dtype=torch.int64)
    torch.full((2,), 1e300)
    torch.full((2,), "a")
    torch.full((2,), None)
    torch.full((2,), torch.tensor([3, 4]))
    torch.full((2,), torch.tensor(3.0, requires_grad=True))
    torch.full(2, 3)
    torch.full((-1,), 2)
    torch.full((2,), 3, requires_grad=True)
    torch.zeros_like(torch.ones(2)), torch.ones_like(torch.tensor([True]))
    torch.empty_like(torch.ones(2, 3)).shape
    torch.zeros_like(torch.ones(2, requires_grad=True))
    torch.zeros_like(torch.ones(2), requires_grad=True)
    torch.zeros_like(torch.ones(2), dtype=torch.int64)
    torch.zeros_like(input=torch.ones(2, 3).t()).stride()
    torch.full_like(torch.ones(2), 3), torch.full_like(torch.ones(2, dtype=torch.int64), 1.5)
    torch.full_like(torch.ones(2), True)
    torch.full_like(torch.ones(2, dtype=torch.uint8), 300)
    torch.full_like(torch.ones(2), "a")
    torch.zeros_like([1, 2])
    torch.eye(2), torch.eye(2, 3), torch.eye(3, 2, dtype=torch.int64)
    torch.eye(0), torch.eye(n=2, m=3), torch.eye(2, requires_grad=True)
    torch.eye(-1)
    torch.eye(2, -1)
    torch.eye(2.0)
    torch.eye("a")
    torch.scalar_tensor(3), torch.scalar_tensor(3, dtype=torch.int64)
    torch.tensor(1.0).new_zeros(2), torch.tensor([1]).new_zeros((2, 3), dtype=torch.float64)
    torch.ones(1).new_empty(2).shape
    torch.tensor([1]).new_full((2,), 1.5), torch.ones(1).new_ones(2, requires_grad=True)
    torch.ones(1).new_ones(size=(2,))
    torch.tensor([1]).new_ones(2, requires_grad=True)
    torch.ones(1).new(2).shape, torch.ones(1).new([1, 2])
    torch.tensor([1]).new([1.5, 2]), torch.tensor([1]).new()
""")


@pytest.mark.parametrize("source", FACTORIES)
def test_factories(source):
    agree(source)


BUFFERS = lines("""
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.uint8)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, count=1, offset=4)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, count=-2)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.float32, requires_grad=True)
    torch.frombuffer(np.ones((2, 2)), dtype=torch.float64)
    torch.frombuffer(np.ones((4, 2))[::2], dtype=torch.float64)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.uint8, requires_grad=True)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, count=3)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, count=1, offset=6)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, count=0)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, offset=6)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, offset=8)
    torch.frombuffer(bytearray(b"abcdefgh"), dtype=torch.int32, offset=-1)
    torch.frombuffer(bytearray(), dtype=torch.int32)
    torch.frombuffer(3, dtype=torch.int32)
""")


@pytest.mark.parametrize("source", BUFFERS)
def test_buffers(source):
    agree(source)


def test_a_buffer_is_shared():
    agree("b = bytearray(3)\nt = torch.frombuffer(b, dtype=torch.uint8)\nb[0] = 5\nt")
    agree("b = bytearray(3)\nt = torch.frombuffer(b, dtype=torch.uint8)\nt[1] = 7\nlist(b)")


def test_a_buffer_that_is_read_only():
    with pytest.warns(UserWarning, match="The given buffer is not writable"):
        made = tinygrad_mnist.frombuffer(b"abc", dtype=tinygrad_mnist.uint8)
    with pytest.raises(RuntimeError, match="read-only"):
        made[0] = 1


RANGES = lines("""
    torch.arange(3), torch.arange(3.0), torch.arange(1, 3)
    torch.arange(1, 3.0), torch.arange(1, 10, 3), torch.arange(10, 1, -3)
    torch.arange(0, 1, 0.1), torch.arange(0, 1, 0.3), torch.arange(0.1, 0.6, 0.1)
    torch.arange(0, 1.2, 0.4), torch.arange(-1, 1, 0.4)
    torch.arange(0), torch.arange(1, 1), torch.arange(0.0, 0.0)
    torch.arange(True), torch.arange(2**62, 2**62 + 3)
    torch.arange(1, 0)
    torch.arange(0, 1, -1)
    torch.arange(-3)
    torch.arange(1, 5, 0)
    torch.arange(math.nan)
    torch.arange(0, math.inf)
    torch.arange(0, 2**63)
    torch.arange(0, 1, 1e-30)
    torch.arange("a")
    torch.arange(None)
    torch.arange(5, dtype=torch.bool)
    torch.arange(5, dtype=torch.float32), torch.arange(2, dtype=torch.uint8)
    torch.arange(300, dtype=torch.uint8)[-3:]
    torch.arange(0.5, 3, dtype=torch.int64), torch.arange(2.5, dtype=torch.int64)
    torch.arange(3, 0, -1.0, dtype=torch.int64)
    torch.arange(0.9, 4.2, 1.1, dtype=torch.int32), torch.arange(1.5, 4.5, dtype=torch.int32)
    torch.arange(-2, 2, dtype=torch.uint8)
    torch.arange(end=3), torch.arange(start=1, end=3), torch.arange(1, end=3)
    torch.arange(start=0, end=1, step=0.25), torch.arange(0, 3, step=2)
    torch.arange(torch.tensor(3)), torch.arange(torch.tensor(3.0))
    torch.arange(np.int64(3)), torch.arange(np.float32(3))
    torch.arange(3.0, requires_grad=True), torch.arange(3, device="cpu")
    torch.arange(3, dtype=float)
    torch.arange(3, requires_grad=True)
    torch.linspace(0, 1, 5), torch.linspace(0, 1, 1), torch.linspace(0, 1, 0)
    torch.linspace(5, 1, 4), torch.linspace(-3, 3, 7)
    torch.linspace(0, 1, -1)
    torch.linspace(0, 10, 4, dtype=torch.int64), torch.linspace(0, 10, 5, dtype=torch.int32)
    torch.linspace(5.7, 4.4, 5, dtype=torch.int64)
    torch.linspace(start=0, end=1, steps=3), torch.linspace(torch.tensor(0.0), torch.tensor(1.0), 3)
    torch.linspace(0, 1, torch.tensor(3))
    torch.linspace(0, 1, 3, dtype=torch.float64), torch.linspace(0, 1, 3, requires_grad=True)
    torch.linspace(0, math.nan, 3)
    torch.linspace(0, 1, 2, dtype=torch.bool)
    torch.logspace(0, 2, 3), torch.logspace(0, 3, 4, base=2), torch.logspace(0, 1, 0)
""")


@pytest.mark.parametrize("source", RANGES)
def test_ranges(source):
    agree(source)


@given(
    start=st.floats(-100, 100),
    step=st.floats(0.01, 10) | st.floats(-10, -0.01),
    count=st.floats(0, 40),
    dtype=st.sampled_from(["float32", "float64", "int32", "int64", None]),
)
def test_any_arange(start, step, count, dtype):
    if dtype == "int64" and int(step) == 0:
        step = math.copysign(1, step)
    end = start + step * count
    if dtype is not None and dtype.startswith("int") and (int(end) - int(start)) * int(step) < 0:
        return
    kinds = [None if dtype is None else getattr(engine, dtype) for engine in ENGINES]
    ours = tinygrad_mnist.arange(start, end, step, dtype=kinds[0])
    theirs = torch.arange(start, end, step, dtype=kinds[1])
    assert_within_one_ulp(ours.numpy(), theirs.numpy(), max(abs(start), abs(end)))


def assert_within_one_ulp(ours, theirs, largest):
    """The same, but for the last place in float64: PyTorch multiplies and adds in one rounding."""
    assert ours.dtype == theirs.dtype
    if ours.dtype == np.float64:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=np.spacing(largest))
    else:
        np.testing.assert_array_equal(ours, theirs)


@given(
    start=st.floats(-100, 100, width=32),
    end=st.floats(-100, 100, width=32),
    steps=st.integers(0, 70),
    dtype=st.sampled_from(["float32", "float64", "int32", "int64"]),
)
def test_any_linspace(start, end, steps, dtype):
    ours, theirs = (
        engine.linspace(start, end, steps, dtype=getattr(engine, dtype)).numpy()
        for engine in ENGINES
    )
    assert_within_one_ulp(ours, theirs, max(abs(start), abs(end)))


numbers = st.booleans() | st.integers(-(2**40), 2**40) | st.floats(width=32)


@given(
    data=st.recursive(
        numbers, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner), max_leaves=8
    )
)
def test_any_nested_data(data):
    agree(f"inf = math.inf\nnan = math.nan\ntorch.tensor({data!r})", messages=False)


CONSTRUCTORS = lines("""
    torch.Tensor(), torch.Tensor([]), torch.Tensor([1, 2])
    torch.Tensor([[1, 2], [3, 4]]), torch.Tensor((2, 3)), torch.Tensor([True])
    torch.Tensor(2, 3).shape, torch.Tensor(3).shape
    torch.Tensor(torch.Size([2, 3])).shape, torch.Tensor(np.int64(2)).shape
    torch.Tensor(np.array([1, 2])), torch.Tensor(range(2))
    torch.Tensor([torch.tensor(1.0)]), torch.Tensor([1], device="cpu")
    torch.Tensor(torch.ones(2)), torch.Tensor(torch.tensor([1]))
    torch.Tensor(torch.ones(2, requires_grad=True))
    t = torch.ones(2) ; u = torch.Tensor(t) ; u[0] = 5 ; t, t is u
    torch.Tensor(3.5)
    torch.Tensor("a")
    torch.Tensor(None)
    torch.Tensor(True)
    torch.Tensor([[1], [2, 3]])
    torch.FloatTensor([1, 2]), torch.LongTensor([1, 2]), torch.LongTensor([1.5, 2])
    torch.DoubleTensor([1, 2]), torch.IntTensor([1.9])
    torch.BoolTensor([2, 0]), torch.ByteTensor([1, 0]), torch.LongTensor(2).shape
    torch.FloatTensor(2, 3).shape, torch.DoubleTensor()
    torch.LongTensor(torch.tensor([1])), torch.LongTensor([[1, 2], [3, 4]])
    torch.FloatTensor(np.array([1.0, 2]))
    torch.LongTensor([2**63])
    torch.ByteTensor([256])
    torch.LongTensor(3.5)
    isinstance(torch.ones(2), torch.FloatTensor), isinstance(torch.ones(2), torch.LongTensor)
    isinstance(3, torch.FloatTensor)
    isinstance(torch.tensor([1]), torch.LongTensor), repr(torch.FloatTensor), torch.LongTensor.dtype
""")


@pytest.mark.parametrize("source", CONSTRUCTORS)
def test_old_constructors(source):
    agree(source)
