"""Methods and operators that change a tensor: results, records, versions, and what is refused."""

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tests._tensor.both_engines import ENGINES, agree, lines, outcome
from tinygrad_mnist import names

VALUES = lines("""
    x = torch.ones(3) ; y = x ; x += 1 ; y
    x = torch.zeros(3, dtype=torch.int64) ; x += 1.5
    x = torch.zeros(3, dtype=torch.int64) ; x += 1.5 ; x
    x = torch.zeros(3, dtype=torch.int64) ; x += torch.ones(3) ; x
    x = torch.zeros(3, dtype=torch.int64) ; x /= 2 ; x
    x = torch.zeros(3, dtype=torch.int64) ; x *= 2.0 ; x
    x = torch.zeros(3, dtype=torch.int64) ; x += True ; x
    x = torch.zeros(3, dtype=torch.bool) ; x += True ; x
    x = torch.zeros(3, dtype=torch.bool) ; x += 1 ; x
    x = torch.zeros(3, dtype=torch.bool) ; x |= True ; x
    x = torch.zeros(3, dtype=torch.int32) ; x += torch.ones(3, dtype=torch.int64) ; x
    x = torch.zeros(3, dtype=torch.uint8) ; x -= 1 ; x
    x = torch.zeros(3) ; x += torch.ones(3, dtype=torch.float64) ; x
    x = torch.zeros(3) ; x += torch.ones(2) ; x
    x = torch.zeros(3) ; x += torch.ones(2, 3) ; x
    x = torch.zeros(1) ; x += torch.ones(3) ; x
    x = torch.tensor(0.0) ; x += torch.ones(3) ; x
    x = torch.zeros(2, 3) ; x += torch.ones(3) ; x -= torch.ones(2, 1) * 3 ; x
    x = torch.zeros(2, 0) ; x += 1 ; x.exp_() ; x
    x = torch.tensor(2.0) ; x *= 3 ; x **= 2 ; x.neg_() ; x
    x = torch.ones(3) ; x.mul_(torch.tensor(2.0)) ; x
    x = torch.ones(3) ; x.mul_("a")
    x = torch.ones(3) ; x.add_(np.ones(3))
    x = torch.ones(3) ; x += "a"
    x = torch.ones(3) ; x += None
    x = torch.ones(3) ; x += [1, 2, 3]
    x = torch.ones(3) ; x @= x ; x
    x = torch.ones(3, 3) ; x @= x ; x
    x = torch.full((3,), 5.0) ; x //= 2 ; x
    x = torch.full((3,), 5.0) ; x %= 2 ; x
    x = torch.full((3,), 5.0) ; x **= 2 ; x
    x = torch.full((3,), 5) ; x //= 2 ; x %= 2 ; x **= 3 ; x
    x = torch.full((3,), 5) ; x &= 4 ; x
    x = torch.full((3,), 5) ; x |= 2 ; x ^= 1 ; x
    x = torch.full((3,), 5) ; x.bitwise_and_(4), x.bitwise_or_(1), x.bitwise_xor_(2)
    x = torch.full((3,), 5) ; x.bitwise_not_()
    x = torch.full((3,), 5) ; x.floor_divide_(2).clone(), x.remainder_(2).clone(), x.pow_(2)
    x = torch.full((3,), 5) ; x.exp_()
    x = torch.full((3,), 5) ; x.sigmoid_()
    x = torch.full((3,), -5) ; x.abs_().clone(), x.neg_().clone(), x.relu_()
    x = torch.full((3,), 5) ; x.clamp_(0, 3).clone(), x.clip_(4, 9)
    x = torch.full((3,), 5) ; x.pow_(2.0)
    x = torch.full((3,), 5.0) ; x.eq_(5.0).clone(), x.lt_(2.0).clone(), x.logical_not_()
    x = torch.full((3,), 5.0) ; x.masked_fill_(torch.tensor([True, False, True]), 0)
    x = torch.full((3,), 5.0) ; x.addcmul_(x, x, value=2).clone(), x.addcdiv_(x, x, value=-1)
    x = torch.full((3,), 5.0) ; x.lerp_(torch.zeros(3), 0.25)
    x = torch.tensor([1.0, 2.0]) ; x.sub_(True)
    x = torch.tensor([True]) ; x -= True
    x = torch.tensor([True]) ; x -= torch.tensor([True])
    x = torch.tensor([True]) ; x *= torch.tensor([False]) ; x
    x = torch.tensor([1.0, 2.0]) ; x.add_(torch.ones(2), alpha=2).clone(), x.sub_(3, alpha=0.5)
    x = torch.tensor([1.0, 2.0]) ; x.add_(torch.tensor([[1.0], [2.0]]), alpha=2.0)
    x = torch.zeros(2, 2) ; x.add_(torch.tensor([[1.0], [2.0]]), alpha=0.5)
    x = torch.zeros(3, 2).t() ; x.add_(torch.ones(2, 3), alpha=0.5) ; x
    x = torch.tensor([1, 2]) ; x.add_(torch.ones(2, dtype=torch.int64), alpha=2.5)
    x = torch.tensor([1, 2]) ; x.add_(1, alpha=2).clone(), x.add_(other=1, alpha=2)
    x = torch.tensor([1, 2]) ; x.mul_(other=3)
    x = torch.tensor([-7.0, 7.0]) ; x.div_(2, rounding_mode="floor")
    x = torch.tensor([-7.0, 7.0]) ; x.div_(2).clone(), x.round_().clone(), x.square_()
    x = torch.tensor([-7.5]) ; x.floor_().clone(), x.ceil_(), x.trunc_(), x.sign_(), x.reciprocal_()
    x = torch.tensor([4.0]) ; x.sqrt_().clone(), x.zero_().exp_().clone(), x.log_(), x.tanh_()
    x = torch.ones(3) ; x.float_power_(2)
    x = torch.full((3,), 3.0).double() ; x.float_power_(2)
    x = torch.zeros(3) ; x.copy_(torch.ones(2))
    x = torch.zeros(3) ; x.copy_(torch.ones(2, 3))
    x = torch.zeros(3) ; x.copy_(torch.ones(1, 3))
    x = torch.zeros(2, 3) ; x.copy_(torch.arange(3))
    x = torch.zeros(3) ; x.copy_(1)
    x = torch.zeros(3) ; x.copy_([1, 2, 3])
    x = torch.zeros(3, dtype=torch.int64) ; x.copy_(torch.tensor([1.5, math.nan, math.inf])).shape
    x = torch.zeros(3, dtype=torch.int64) ; x.fill_(1.5)
    x = torch.zeros(3, dtype=torch.bool) ; x.fill_(5)
    x = torch.zeros(3, dtype=torch.uint8) ; x.fill_(300)
    x = torch.zeros(3, dtype=torch.uint8) ; x.fill_(-1).clone(), x.fill_(torch.tensor(300))
    x = torch.zeros(3) ; x.fill_(torch.ones(2))
    x = torch.zeros(3) ; x.fill_(math.inf).clone(), x.zero_()
    x = torch.zeros(3) ; x.fill_(1e300)
    x = torch.arange(9.0).reshape(3, 3) ; x -= x.T
    x = torch.arange(9.0).reshape(3, 3) ; x.T.add_(x)
    x = torch.arange(9.0).reshape(3, 3) ; x += x ; x *= x ; x -= x ; x
    x = torch.arange(9.0).reshape(3, 3) ; x += x.detach() ; x
    x = torch.arange(9.0).reshape(3, 3) ; x += x[0] ; x
    x = torch.arange(4.0) ; x[1:] += x[:-1] ; x
    x = torch.arange(4.0) ; x[:-1] += x[1:] ; x
    x = torch.arange(4.0) ; x[:2] += x[2:] ; x
    x = torch.arange(4.0) ; x.copy_(x) ; x
    x = torch.tensor(1.0) ; x[None].copy_(x)
    x = torch.zeros(3).expand(2, 3) ; x += 1
    x = torch.zeros(3).expand(2, 3) ; x.exp_()
    x = torch.zeros(3).expand(2, 3) ; x.clamp_(0, 1)
    x = torch.zeros(3, 1).expand(3, 3) ; x.copy_(torch.ones(3, 3))
    x = torch.zeros(3, 1).expand(3, 3) ; x.fill_(2).clone(), x.zero_()
    x = torch.zeros(1, 3).expand(1, 3) ; x += 1 ; x
    x = torch.full((2, 3), 5.0) ; x.t_().shape, x.unsqueeze_(0).shape, x.squeeze_(0).shape
    x = torch.full((2, 3), 5.0) ; x.transpose_(0, 1).stride(), x.swapaxes_(0, 1).stride()
    x = torch.full((2, 3), 5.0) ; x.transpose_(0, 1).swapdims_(0, 1)._version
    x = torch.full((1, 3, 1), 5.0) ; x.squeeze_().shape
""")


@pytest.mark.parametrize("source", VALUES)
def test_values_types_and_errors(source):
    agree(source)


CHANGES = """
    y += 1
    y *= 3
    y *= x
    y /= x
    y -= x * x
    y **= 2
    y **= x
    y += torch.ones(3, dtype=torch.float64)
    y %= 3
    y.add_(x, alpha=2)
    y.sub_(x.sum(), alpha=0.5)
    y.mul_(x).add_(1).mul_(y.detach().clone())
    y.pow_(3)
    y.square_()
    y.div_(3)
    y.reciprocal_()
    y.exp_()
    y.log_()
    y.exp2_()
    y.mul_(0.25).tan_()
    y.scatter_(0, torch.tensor([0, 1]), (x * x)[:2])
    y.index_add_(0, torch.tensor([0, 0]), x[:2])
    y.sqrt_()
    y.mul_(0.25).tanh_()
    y.sigmoid_()
    y.relu_()
    y.abs_()
    y.neg_()
    y.clamp_(3, 5)
    y.clamp_(min=3)
    y.floor_()
    y.ceil_()
    y.round_()
    y.trunc_()
    y.sign_()
    y.zero_()
    y.fill_(4)
    y.fill_(x.sum())
    y.copy_(x * x)
    y.copy_(x.sum())
    y.copy_(torch.ones(3))
    y.addcmul_(x, y.detach().clone(), value=2)
    y.lerp_(x, 0.25)
    y.masked_fill_(x.detach() > 2, 0.5)
    y.eq_(4)
    y[0] = 5 ; y[1:] = x[:2] ; y *= 2
    y.requires_grad_()
""".strip().splitlines()


@pytest.mark.parametrize("change", [line.strip() for line in CHANGES])
def test_a_computed_tensor_gets_a_newer_record(change):
    agree(
        """
        x = torch.tensor([1.0, 2.0, 3.0]).requires_grad_()
        y = x * 2
        CHANGE
        weight = torch.tensor([1.0, -2.0, 3.0])
        found = y.is_leaf, y.detach().clone(), y.grad_fn is not None
        (y * weight).sum().backward()
        found, x.grad
    """.replace("CHANGE", change.replace(" ; ", "\n        ")),
        digits=5,
    )


def test_new_shapes_in_place_pass_gradients():
    agree("""
        x = torch.ones(2, 3, requires_grad=True)
        y = x * torch.arange(3.0)
        y.t_().unsqueeze_(0)
        (y * torch.arange(6.0).reshape(1, 3, 2)).sum().backward()
        y.detach(), x.grad
    """)


RECORDS = lines("""
    x = torch.ones(3, requires_grad=True) ; y = torch.zeros(3) ; y += x ; y
    x = torch.ones(3, requires_grad=True) ; y = torch.zeros(3) ; y.fill_(x.sum()) ; y
    x = torch.ones(3, requires_grad=True) ; y = torch.zeros(3) ; y.copy_(x) ; y
    x = torch.ones(3, requires_grad=True) ; y = torch.zeros(2, 3, dtype=torch.float64) ; y.copy_(x)
    x = torch.ones(3, requires_grad=True) ; y = torch.zeros(3, dtype=torch.int64) ; y.copy_(x) ; y
    x = torch.ones(3, requires_grad=True) ; y = torch.zeros(3, dtype=torch.int64) ; y += x
    x = torch.ones(3, requires_grad=True) ; y = x * 1 ; y.zero_() ; y
    x = torch.ones(3, requires_grad=True) ; y = x * 1 ; y.fill_(2) ; y
    x = torch.ones(3, requires_grad=True) ; y = x * 1 ; y[1] = 2 ; y
    x = torch.ones(3, requires_grad=True) ; y = x * 1 ; y[[0]] = 2.0 ; y
    x = torch.ones(3, requires_grad=True) ; y = x * 1 ; y[:] = 2.0 ; y
    x = torch.ones(3, requires_grad=True) ; y = x * 1 ; y[...] = x ; y
    x = torch.ones(3, requires_grad=True) ; x += 1
    x = torch.ones(3, requires_grad=True) ; x.add_(1)
    x = torch.ones(3, requires_grad=True) ; x.zero_()
    x = torch.ones(3, requires_grad=True) ; x.fill_(1)
    x = torch.ones(3, requires_grad=True) ; x.copy_(torch.ones(3))
    x = torch.ones(3, requires_grad=True) ; x[0] = 1
    x = torch.ones(3, requires_grad=True) ; x[[0]] = 1
    x = torch.ones(3, requires_grad=True) ; x[0].zero_()
    x = torch.ones(3, requires_grad=True) ; x[:2] += 1
    x = torch.ones(3, requires_grad=True) ; x.view(3).add_(1)
    x = torch.ones(3, 2, requires_grad=True) ; x.t_()
    x = torch.ones(3, requires_grad=True) ; x.detach().add_(1) ; x, x._version
    x = torch.ones(3, requires_grad=True) ; x.data.add_(1) ; x, x._version
    x = torch.ones(3, requires_grad=True) ; y = x * 2 ; y.detach_() ; y
    x = torch.ones(3, requires_grad=True) ; x.detach_() ; x
    x = torch.ones(3, requires_grad=True) ; y = (x * 2)[0:1] ; y.detach_()
    x = torch.ones(3, requires_grad=True) ; y = x * 2 ; y.retain_grad() ; y *= 3 ; y.retains_grad
    y = torch.ones(1).requires_grad_() * 2 ; y.retain_grad() ; y *= 3 ; y.backward() ; y.grad
    x = torch.ones(3) ; y = x[0:2] ; y.detach_() ; y += 1 ; x
""")


@pytest.mark.parametrize("source", RECORDS)
def test_records_and_refusals(source):
    agree(source)


NO_GRAD = lines("""
    x += 1 ; x[0] = 5 ; x.mul_(2) ; x[1:] = 3
    x.zero_() ; x.copy_(torch.ones(3)) ; x -= torch.full((3,), 0.5, requires_grad=True)
    x.detach()[1] = 9 ; x.view(3)[2] += 1
    x.exp_().clamp_(0, 2)
""")


@pytest.mark.parametrize("changes", NO_GRAD)
def test_leaves_may_be_changed_under_no_grad(changes):
    body = changes.replace("\n", "\n    ")
    agree(f"x = torch.ones(3, requires_grad=True)\nwith torch.no_grad():\n    {body}\nx")


VERSIONS = lines("""
    x = torch.ones(3) ; x._version
    x = torch.ones(3) ; x += 1 ; x.mul_(2) ; x[0] = 1 ; x[[0]] = 1 ; x._version
    x = torch.ones(3) ; x.zero_() ; x.fill_(1) ; x._version
    x = torch.ones(3) ; x.clamp_(0) ; x.copy_(x) ; x.exp_() ; x._version
    x = torch.ones(3) ; x[0].add_(1) ; x.view(3).mul_(2) ; x._version
    x = torch.ones(3) ; x[0] += 1 ; x._version
    x = torch.ones(3) ; y = x[0] ; z = x.detach() ; x.add_(1) ; y._version, z._version
    x = torch.ones(3) ; y = x.data ; z = x.clone() ; x.add_(1) ; y._version, z._version
    x = torch.ones(3) ; y = x.detach()[1:] ; y += 1 ; x._version
    x = torch.ones(3) ; y = x.data ; y += 1 ; x._version, x
    x = torch.ones(3) ; y = x.numpy() ; y += 1 ; x._version, x
""")


@pytest.mark.parametrize("source", VERSIONS)
def test_versions(source):
    agree(source)


CAUGHT = lines("""
    y = x.exp() ; y *= 3 ; y.sum().backward()
    y = x.exp() ; y[0] = 3 ; y.sum().backward()
    y = x.sqrt() ; y.mul_(2) ; y.sum().backward()
    y = x * 2 ; z = y * y ; y += 3 ; z.sum().backward()
    y = x * 2 ; z = y * y ; y.detach().add_(3) ; z.sum().backward()
    y = x * 2 ; y *= y ; y.sum().backward()
    w = torch.ones(3) ; z = x * w ; w += 1 ; z.sum().backward()
    w = torch.ones(3) ; z = x * w[:] ; w += 1 ; z.sum().backward()
    w = torch.ones(3) ; z = x * w ; w.view(3).zero_() ; z.sum().backward()
    w = torch.ones(3) ; z = x * w ; w[[0]] = 5 ; z.sum().backward()
    w = torch.ones(3) ; v = w[:] ; z = x * w ; v.exp_() ; z.sum().backward()
    w = torch.ones(3) ; z = x * w ; w.mul_(x) ; z.sum().backward()
    y = torch.sigmoid(x) ; z = y ** 2 ; y += 1 ; z.sum().backward()
    y = x * 2 ; z = y ** 2 ; y[0] = 5 ; z.sum().backward()
    y = x * 2 ; v = y.view(3) ; z = y ** 2 ; v += 1 ; z.sum().backward()
""")


@pytest.mark.parametrize("source", CAUGHT)
def test_a_saved_value_that_was_changed_is_caught(source):
    source = f"x = torch.ones(3, requires_grad=True)\n{source}\nx.grad"
    ours, theirs = (outcome(source, engine) for engine in ENGINES)
    assert ours.error == theirs.error == "RuntimeError"
    assert ours.message == theirs.message
    assert "is at version 1; expected version 0 instead" in ours.message


FOLLOWED = lines("""
    y = x * 1 ; v = y[0] ; y *= 2 ; v.backward() ; x.grad
    y = x * 1 ; v = y[1:][0] ; y *= 2 ; y += x ; v.backward() ; x.grad
    y = x * 1 ; v = y.view(3, 1) ; y *= 2 ; v.requires_grad, v.detach()
    y = x * 1 ; v = y.detach() ; y *= 2 ; v.requires_grad, v
    y = x * 2 ; z = y + y ; y += 3 ; z.sum().backward() ; x.grad
    y = x * 2 ; z = y * y ; y.data.add_(3) ; z.sum().backward() ; x.grad
""")


@pytest.mark.parametrize("source", FOLLOWED)
def test_what_changes_elsewhere_and_what_does_not(source):
    agree(f"x = torch.ones(3, requires_grad=True)\n{source}")


def test_a_view_made_under_no_grad_is_not_changed_outside():
    source = """
        x = torch.ones(3, requires_grad=True)
        with torch.no_grad():
            v = x[1:]
        v += 1
        x
    """
    agree(source)
    agree(
        source.replace("x[1:]", "x.view(3)").replace(
            "x = torch.ones(3, requires_grad=True)", "x = torch.ones(3, requires_grad=True) * 2"
        )
    )


def overlapping(torch, how):
    """A tensor, and another that shares its memory."""
    memory = torch.arange(5)
    if how == "shifted":
        return memory[1:], memory[:-1]
    whole = memory[:4].view(2, 2) if how == "transposed" else memory[:4]
    if how == "expanded":
        return memory[1:2].expand(4), None
    return whole, whole.t() if how == "transposed" else whole


def arguments_on(torch, x, other):
    """Arguments of which one lies where `x` does, or of no such one where there is no `other`."""
    index, values = torch.zeros(x.shape, dtype=torch.int64), torch.ones(x.shape, dtype=x.dtype)
    mask = torch.zeros(x.shape, dtype=torch.bool)
    mask.view(-1)[0] = True
    if other is None:
        yield from [(), (2,), (values,), (0, index, values), (0, index, 2), (mask, 2)]
        yield from [(mask, values), ((index,), values)]
        return
    yield from [(other,), (other, values), (values, other), (0, other, values), (0, index, other)]
    yield from [(0, other, 2), (mask, other), (other, 2), ((index,), other), ((other,), values)]


LENIENT = {"addmm_", "conj_physical_", "masked_scatter_", "nan_to_num_"}
"""PyTorch does not look at where these read and write, and may read what it wrote: refused here."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["shifted", "itself", "transposed", "expanded"])
def test_memory_that_is_read_and_written_at_once(how):
    compared = 0
    for name in sorted({f"{name}_" for name in names.IN_PLACE} - LENIENT):
        for number in range(10):
            found = []
            for engine in ENGINES:
                x, other = overlapping(engine, how)
                given = list(arguments_on(engine, x, other))[number:][:1]
                try:
                    getattr(x, name)(*given[0])
                except Exception as error:
                    found.append("memory" in str(error) or None)
                else:
                    found.append(x.tolist() if how == "expanded" else False)
            if None not in found:  # else it is refused for another reason
                assert found[0] == found[1], (name, number)
                compared += 1
    assert compared > 50


EXPANDED = lines("""
    x = torch.ones(1).expand(3) ; x.masked_fill_(torch.tensor([True, False, False]), 2.0)
    x = torch.ones(1, 2).expand(3, 2) ; x.masked_fill_(torch.tensor([True, False]), 2)
    x = torch.ones(2, 1).expand(2, 3) ; x.index_fill_(1, torch.tensor([1]), 2.0)
    x = torch.ones(1).expand(3) ; x.index_put_((torch.tensor([1]),), torch.tensor(2.0))
    x = torch.ones(1).expand(3) ; torch.nn.functional.threshold_(x, 2.0, 3.0)
    x = torch.arange(3) ; x[x] = torch.tensor([2, 1, 0])
    x = torch.arange(4) ; x[x[1:]] = 7
    x = torch.arange(4) ; y = x ; y <<= 1 ; y >>= torch.tensor(2) ; x
    x = torch.arange(4) ; y = x[1:] ; y <<= x[:-1]
    x = torch.tensor([True, False]) ; x[x] = False ; x
""")


@pytest.mark.parametrize("source", EXPANDED)
def test_what_may_be_written_where_elements_share_memory(source):
    agree(source, warned=True)


def test_read_only_memory_is_not_written():
    array = np.frombuffer(np.ones(3, np.float32).tobytes(), np.float32)
    x = tinygrad_mnist.from_numpy(array)
    for change in (lambda: x.add_(1), lambda: x.zero_(), lambda: x.__setitem__(0, 1.0)):
        with pytest.raises(RuntimeError, match="read-only"):
            change()
    assert x.tolist() == [1, 1, 1]
    assert (x + 1).tolist() == [2, 2, 2]


def test_every_operation_that_pytorch_has_in_place_is_here_in_place():
    theirs = {name for name in dir(torch.Tensor) if name.endswith("_") and name[0] != "_"}
    ours = set(dir(tinygrad_mnist.Tensor))
    missing = {name for name in theirs - ours if name[:-1] in ours}
    assert not missing
