"""x[...] and x[...] = v in every form PyTorch knows, with gradients of both orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tests._tensor.both_engines import ENGINES, agree, lines
from tinygrad_mnist.tools.parity import strategies

# Into a tensor of shape (2, 3, 4).
INDICES = """
    0
    -1
    0, 3
    1, -1, 0
    ...
    ..., 0
    0, ...
    1, ..., 2
    None
    None, None, 0
    :, None
    :, 1:, None, ::2
    :
    1:
    :100
    100:
    -100:1
    2:1
    ::2
    :, :, 1::2
    0:2
    :, 0:3, 1
    True
    False
    True, 0
    0, True
    0, False
    True, True
    True, False
    True, [0, 1]
    :, True
    np.int64(1)
    np.int64(0):np.int64(1)
    torch.tensor(1)
    torch.tensor(1), torch.tensor(0)
    torch.tensor(1, dtype=torch.int32)
    torch.tensor(True)
    torch.tensor(False)
    torch.tensor(0, dtype=torch.uint8)
    torch.tensor([-1])
    torch.tensor([[0, 1], [1, 1]])
    torch.tensor([0, 1], dtype=torch.int32)
    torch.tensor([], dtype=torch.int64)
    [0, 1]
    [0, 0, 1]
    [0, 1], [1, 2]
    [0, 1], [1, 2], [0, 3]
    [0, 1], :, [0, 3]
    :, [0, 1], [0, 3]
    0, :, [0, 3]
    0, [0, 2]
    [0, 1], 0
    [0, 1], 0, 1:
    [0, 1], None, [0, 1]
    [[0, 1], [1, 0]], [0, 1]
    torch.tensor([[0, 1]]), torch.tensor([[1], [2]])
    torch.tensor(0), [1, 2]
    torch.tensor(0), :, [1, 2]
    torch.tensor([0]), :, 0
    ..., [0, 1]
    [True, False]
    :, [True, False, True]
    :, [False, False, False]
    x > 5
    (x > 5).detach().numpy()
    x[:, :, 0] > 5
    :, x[0] > 5
    ..., x[0, 0] > 1
    x[:, :, 0] > 5, 0
    x[:, 0, 0] > 5, :, [0]
    range(2)
    range(2), range(2)
    range(1, -1, -1)
    range(0)
    []
    ()
    [], []
    np.array([0, 1])
    np.array([0, 1], dtype=np.int16)
    np.array([0.0, 1.0])
    np.array([])
    [0.0, 1.0]
    torch.tensor(0):torch.tensor(1)
    torch.tensor([0]):
    :10**30
"""

ERRORS = """
    2
    -3
    0, 0, 0, 0
    ::-1
    ::0
    1.0
    0, 1.0
    object()
    "a"
    "text"
    ["a"]
    1j
    {0}
    {}
    1.0:2
    "a":2
    np.True_
    np.float32(1)
    torch.tensor(1.0)
    torch.tensor([1.0])
    torch.tensor(5)
    torch.tensor([5])
    torch.tensor([-3])
    torch.tensor(0.0):
    torch.tensor([0, 1]):
    [0, 1], [0, 1, 2]
    [0, 5], [0, 1]
    :, 0, [0, 9]
    [True, False, True]
    :, [True, False]
    x[0] > 5
    x[None] > 5
    x[:, :, 0] > 5, [0, 1, 2]
    10**30
"""

X = "x = torch.arange(24.0).reshape(2, 3, 4)"


def cases(text):
    return pytest.mark.parametrize("index", [line.strip() for line in text.strip().splitlines()])


@cases(INDICES)
def test_getting(index):
    agree(f"{X}\nx[{index}]")
    agree(f"{X}.requires_grad_()\nx[{index}]")
    agree(f"{X}.long()\nx[{index}]")
    agree(f"{X}\ny = x[{index}]\ny.is_contiguous(), y._is_view()", messages=False)


@cases(ERRORS)
def test_errors(index):
    agree(f"{X}\nx[{index}]")
    agree(f"{X}\nx[{index}] = 1.0\nx")
    agree(f"{X}\nx[{index}] = torch.tensor(1.0)\nx")


@cases(INDICES)
def test_gradients_of_both_orders(index):
    agree(f"""
        {X}.requires_grad_()
        y = x[{index}]
        weight = torch.arange(1.0, y.numel() + 1).reshape(y.shape)
        first, = torch.autograd.grad((weight * y * y).sum(), x, create_graph=True)
        second, = torch.autograd.grad((first * first).sum(), x)
        first.detach(), second
    """)


@cases(INDICES)
def test_setting(index):
    agree(f"{X}\nx[{index}] = 50.0\nx")
    agree(f"{X}\nx[{index}] = 7\nx")
    agree(f"{X}.long()\nx[{index}] = 7.9\nx")
    agree(f"{X}\nx[{index}] = torch.tensor(50.0)\nx")
    agree(f"{X}\nx[{index}] = x[{index}].clone() + 100\nx")
    agree(f"{X}\nx[{index}] = x[{index}].clone()[None, None] - 100\nx")
    agree(f"{X}.requires_grad_()\nwith torch.no_grad():\n    x[{index}] = 50.0\nx")


@cases(INDICES)
def test_setting_with_gradients(index):
    source = f"""
        {X}.requires_grad_()
        y = x * 2
        v = (y[{index}] ** 2).detach().requires_grad_()
        y[{index}] = v
        weight = torch.arange(1.0, 25.0).reshape(2, 3, 4)
        first = torch.autograd.grad((weight * y * y).sum(), [x, v], create_graph=True)
        total = sum((each * each).sum() for each in first)
        second = torch.autograd.grad(total, [x, v])
        [each.detach() for each in (y, *first)], second
    """
    agree(source, messages=False)
    agree(f"{X}.requires_grad_()\ny = x * 2\ny[{index}] = 1.0\ny.sum().backward()\ny, x.grad")
    agree(f"{X}.requires_grad_()\nx[{index}] = 1.0\nx")
    agree(f"{X}.requires_grad_()\ny = torch.zeros(2, 3, 4)\ny[{index}] = x[{index}]\ny")


OTHER = lines("""
    x = torch.tensor(3.0) ; x[0]
    x = torch.tensor(3.0) ; x[(0,)]
    x = torch.tensor(3.0) ; x[...]
    x = torch.tensor(3.0) ; x[()]
    x = torch.tensor(3.0) ; x[None]
    x = torch.tensor(3.0) ; x[:]
    x = torch.tensor(3.0) ; x[0:1]
    x = torch.tensor(3.0) ; x[True], x[False], x[torch.tensor(True)], x[x > 1]
    x = torch.tensor(3.0) ; x[torch.tensor(0)]
    x = torch.tensor(3.0) ; x[[0]]
    x = torch.tensor(3.0) ; x[...] = 2 ; x
    x = torch.tensor(3.0) ; x[()] = 2 ; x
    x = torch.tensor(3.0) ; x[0] = 2 ; x
    x = torch.tensor(3.0) ; x[x > 0] = 2 ; x
    x = torch.zeros(0, 3) ; x[0]
    x = torch.zeros(0, 3) ; x[[]], x[:, 1], x[x > 0], x[:, [0, 1]], x[:0]
    x = torch.zeros(0, 3) ; x[[0]]
    x = torch.zeros(0, 3) ; x[torch.zeros(0, dtype=torch.bool)]
    x = torch.zeros(0, 3) ; x[...] = 1 ; x[x > 0] = 2 ; x
    x = torch.arange(6.0) ; x[1:][1:][1]
    x = torch.arange(6.0) ; x[2:5].storage_offset(), x[2:5].stride(), x[::2].stride()
    x = torch.arange(6.0) ; y = x[2:5] ; y[0] = 9 ; x
    x = torch.arange(6.0) ; y = x[[2, 3]] ; y[0] = 9 ; x
    x = torch.arange(6.0) ; y = x[None, 1] ; y._base is x, x._base
    x = torch.arange(6.0) ; y = x[1:][1:] ; y._base is x
    x = torch.zeros(3, dtype=torch.int64) ; x[0] = 1.5 ; x
    x = torch.zeros(3, dtype=torch.int64) ; x[0] = torch.tensor(1.5) ; x
    x = torch.zeros(3, dtype=torch.int64) ; x[[0, 1]] = torch.tensor(1.5) ; x
    x = torch.zeros(3, dtype=torch.int64) ; x[[0, 1]] = 1.5 ; x
    x = torch.zeros(3, dtype=torch.bool) ; x[0] = 5 ; x[1:] = torch.tensor([0.0, 0.1]) ; x
    x = torch.zeros(3, dtype=torch.uint8) ; x[0] = 300 ; x
    x = torch.zeros(3, dtype=torch.uint8) ; x[0] = -1 ; x
    x = torch.zeros(3, dtype=torch.int32) ; x[0] = 2**40 ; x
    x = torch.zeros(3, dtype=torch.int64) ; x[0] = 2**70 ; x
    x = torch.zeros(3, dtype=torch.int64) ; x[0] = math.nan ; x
    x = torch.zeros(3) ; x[0] = 1e300 ; x
    x = torch.zeros(3) ; x[0] = math.inf ; x[1] = math.nan ; x
    x = torch.zeros(3) ; x[[0, 1]] = torch.tensor([1, 2]) ; x
    x = torch.zeros(3) ; x[x > -1] = torch.tensor([1, 2, 3]) ; x
    x = torch.zeros(3) ; x[x > -1] = torch.tensor([1.0, 2.0]) ; x
    x = torch.zeros(3) ; x[x > -1] = torch.tensor([1.0]) ; x
    x = torch.zeros(3) ; x[x > -1] = torch.tensor(2) ; x
    x = torch.zeros(3) ; x[[0]] = torch.tensor(2.0, dtype=torch.float64) ; x
    x = torch.zeros(3) ; x[[0]] = np.float64(2) ; x
    x = torch.zeros(3) ; x[0:2] = torch.tensor([1.0, 2, 3]) ; x
    x = torch.zeros(3) ; x[0] = torch.tensor([1.0]) ; x
    x = torch.zeros(3) ; x[0] = [1.0] ; x
    x = torch.zeros(3) ; x[0] = "a" ; x
    x = torch.zeros(3) ; x[0] = None ; x
    x = torch.zeros(3) ; x[:] = np.ones(3) ; x
    x = torch.zeros(3) ; x[0] = np.array(3) ; x
    x = torch.zeros(2, 3) ; x[:, [0, 2]] = torch.tensor([1.0, 2]) ; x
    x = torch.zeros(2, 3) ; x[:, [0, 2]] = torch.tensor([[1.0], [2]]) ; x
    x = torch.zeros(2, 3) ; x[[0, 1], 0] = torch.tensor([1.0, 2]) ; x
    x = torch.zeros(2, 3) ; x[[True, False]] = torch.tensor([1.0, 2, 3]) ; x
    x = torch.zeros(2, 3) ; x[:, None] = torch.ones(3) ; x
    x = torch.zeros(2, 3) ; x[x == 0] = torch.ones(2, 3) ; x
    x = torch.arange(4.0) ; x[1:] = x[:-1] ; x
    x = torch.arange(4.0) ; x[:2] = x[2:] ; x[::2] = x[1::2] ; x
    x = torch.arange(4.0) ; x[[0, 1]] = x[1:3] ; x
    x = torch.arange(4.0) ; x[[0, 1]] = x[:2] ; x
    x = torch.arange(4.0) ; x[x > -1] = x ; x
    x = torch.arange(4.0) ; x[:] = x ; x
    x = torch.zeros(3).expand(2, 3) ; x[0, 0] = 1 ; x
    x = torch.zeros(3).expand(2, 3) ; x[0] = torch.ones(3) ; x
    x = torch.zeros(3).expand(2, 3) ; x[:] = 1 ; x
    x = torch.zeros(3).expand(2, 3) ; x[:] = torch.ones(2, 3) ; x
    x = torch.arange(6).reshape(2, 3) ; torch.select(x, 1, 2), x.select(-1, -1)
    x = torch.arange(6).reshape(2, 3) ; x.select(1, 3)
    x = torch.arange(6).reshape(2, 3) ; x.select(2, 0)
    x = torch.tensor(1) ; x.select(0, 0)
    x = torch.arange(6).reshape(2, 3) ; x.narrow(1, 1, 2), x.narrow(1, -1, 1), x.narrow(0, 2, 0)
    x = torch.arange(6).reshape(2, 3) ; x.narrow(1, 1, 3)
    x = torch.arange(6).reshape(2, 3) ; x.narrow(1, 4, 0)
    x = torch.arange(6).reshape(2, 3) ; x.narrow(1, 0, -1)
    x = torch.tensor(1) ; x.narrow(0, 0, 1)
    x = torch.arange(6).reshape(2, 3) ; torch.unbind(x), x.unbind(1), torch.zeros(0, 2).unbind()
    x = torch.arange(6).reshape(2, 3) ; x.unbind(2)
    x = torch.tensor(1) ; x.unbind()
    x = torch.ones(2, 3, requires_grad=True) ; x.unbind(), x.select(0, 1), x.narrow(1, 0, 2)
    x = torch.ones(2, 3, requires_grad=True) ; list(x)
    x = torch.ones(2, 3, requires_grad=True) ; a, b = x ; (a * b).sum().backward() ; x.grad
""")


@pytest.mark.parametrize("source", OTHER)
def test_other_shapes_types_and_errors(source):
    agree(source)


@pytest.mark.parametrize("index", ["(x > 5).byte()", "torch.tensor([1, 0], dtype=torch.uint8)"])
def test_byte_masks_are_deprecated(index):
    for engine in ENGINES:
        x = engine.arange(24.0).reshape(2, 3, 4)
        with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated"):
            found = x[eval(index, {"torch": engine, "x": x})]
        assert found.numel() in (18, 12)


@pytest.mark.parametrize(
    "index", ["[[0, 1], [1, 0]]", "[0, [1]]", "[slice(0, 1), 0]", "[None, 0]", "[..., 0]"]
)
def test_a_list_of_mixed_things_is_a_tuple_and_deprecated(index):
    agree(f"{X}\nx[{index}]", warned=True)


@given(data=st.data(), shape=strategies.shapes())
def test_any_index(data, shape):
    index = data.draw(strategies.indices(shape))
    numbers = np.arange(float(np.prod(shape))).reshape(shape)
    agree(
        """
        x = torch.from_numpy(numbers.copy()).requires_grad_()
        y = x[index]
        (y * y).sum().backward()
        z = x * 2
        z[index] = y.detach() + 1
        z.sum().backward()
        y.detach(), z.detach(), x.grad
        """,
        numbers=numbers,
        index=index,
    )


@pytest.mark.parametrize("change", ["mask.logical_not_()", "mask[:] = False"])
def test_an_index_that_changed_after_it_was_used_is_refused(change):
    for engine in ENGINES:
        x = engine.arange(4.0).requires_grad_()
        mask = x.detach() > 1
        y = x[mask]
        exec(change)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_an_array_used_as_an_index_may_change_later():
    x = tinygrad_mnist.arange(4.0).requires_grad_()
    rows = np.array([0, 1])
    y = x[rows]
    rows[:] = 3
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 0, 0]


@given(
    rows=st.lists(st.integers(-5, 4), min_size=1, max_size=12),
    width=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_rows_named_more_than_once_are_summed(rows, width, seed):
    weight = np.random.default_rng(seed).standard_normal((5, width))
    grads = np.random.default_rng(seed + 1).standard_normal((len(rows), width))
    found = []
    for engine in ENGINES:
        x = engine.from_numpy(weight.copy()).requires_grad_()
        x[rows].backward(engine.from_numpy(grads))
        found.append(x.grad.numpy())
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12)


def test_the_notebook_way_to_pick_each_row_s_own_column():
    logits = np.random.default_rng(0).standard_normal((64, 10)).astype(np.float32)
    target = np.arange(64) % 10
    for engine in ENGINES:
        x = engine.from_numpy(logits).requires_grad_()
        picked = x[range(64), engine.from_numpy(target)]
        assert np.array_equal(picked.detach().numpy(), logits[np.arange(64), target])
        picked.mean().backward()
        assert x.grad.sum().item() == 1
        assert int((x.grad != 0).sum()) == 64
