"""Tensors that a compiled function changes: what is read before and after, and where from."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

pytestmark = [pytest.mark.usefixtures("plain"), pytest.mark.filterwarnings("error:compile")]


class Buffers(nn.Module):
    def __init__(self, **buffers):
        super().__init__()
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)


def swapped(m, x):
    old = m.a.clone()
    m.a.copy_(m.b)
    m.b.copy_(old)
    return m.a * x


def shifted(m, x):
    m.a.copy_(m.b)
    m.b.copy_(x * 2)
    return (m.a + m.b).sum()


def averaged(m, x):
    m.a.mul_(0.9).add_(x, alpha=0.1)
    return m.a.sum(), m.a


def copied_before(m, x):
    before = m.a.reshape(-1).clone()
    m.a.add_(x)
    return before


def through_views(m, x):
    m.a.view(-1)[:2].mul_(3)
    m.a[1:] += x[:-1]
    m.a.t().sub_(1)
    m.b.narrow(0, 1, 2).zero_()
    return m.a.sum() + m.b.sum()


def at_places(m, x):
    m.a[torch.tensor([0, -1])] = x[:2]
    m.b[m.b > 0.5] = 0.25
    m.a[x > 0.9] = -1
    return m.a - m.b


@pytest.mark.parametrize(
    "change", [swapped, shifted, averaged, copied_before, through_views, at_places]
)
def test_buffers_are_changed_in_order(change):
    def make():
        return Buffers(a=torch.arange(3.0), b=torch.linspace(0, 1, 3))

    ours, theirs = make(), make()
    step = torch.compile(lambda x: change(ours, x))
    torch.manual_seed(0)
    for _ in range(4):
        x = torch.rand(3)
        found, expected = step(x), change(theirs, x)
        for a, b in zip(
            [*(found if isinstance(found, tuple) else [found]), ours.a, ours.b],
            [*(expected if isinstance(expected, tuple) else [expected]), theirs.a, theirs.b],
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def regression(optimizer):
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    rule = optimizer(model.parameters())

    def step(x):
        rule.zero_grad()
        loss = F.mse_loss(model(x), 2 * x + 1)
        loss.backward()
        rule.step()
        return loss

    return step, model


@pytest.mark.parametrize(
    "optimizer",
    [lambda p: torch.optim.Adam(p, 0.1), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)],
    ids=["adam", "momentum"],
)
def test_parameters_of_one_number(optimizer):
    (function, ours), (eager, theirs) = regression(optimizer), regression(optimizer)
    step = torch.compile(function)
    for _ in range(5):
        x = torch.rand(4, 1)
        assert step(x).item() == pytest.approx(eager(x).item(), rel=1e-5)
        assert ours.bias.item() == pytest.approx(theirs.bias.item(), rel=1e-5)


def test_as_many_samples_as_features():
    def make():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.LayerNorm(5))

    ours, theirs = make(), make()
    step = torch.compile(lambda x: ours(x).detach())
    for _ in range(4):
        x = torch.rand(5, 5)
        np.testing.assert_allclose(step(x), theirs(x).detach(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ours[1].running_mean, theirs[1].running_mean, rtol=1e-4)
        np.testing.assert_allclose(ours[1].running_var, theirs[1].running_var, rtol=1e-4)


def test_an_index_out_of_range_changes_nothing_twice():
    def step(x, places):
        x.add_(1)
        return x[places], x[places * 2]

    compiled = torch.compile(step)
    x = torch.zeros(4)
    for n in range(1, 4):
        assert compiled(x, torch.tensor([0, 1]))[1].tolist() == [n, n]
    with pytest.raises(IndexError, match="index 6 is out of bounds"):
        compiled(x, torch.tensor([0, 3]))
    assert x.tolist() == [4] * 4
    assert compiled(x, torch.tensor([-1, 1]))[0].tolist() == [5, 5]
    assert x.tolist() == [5] * 4


LOOKUPS = {
    "embedding": (lambda x, n: F.embedding(n, x), IndexError, "index out of range in self"),
    "gather": (lambda x, n: x.gather(0, n[:, None]), RuntimeError, "out of bounds for dimension 0"),
    "one_hot": (lambda x, n: F.one_hot(n, 3) * x, RuntimeError, "smaller than num_classes"),
    "probabilities": (
        lambda x, n: F.binary_cross_entropy(n / 2, torch.ones(3)), RuntimeError, "between 0 and 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKUPS)
def test_what_is_out_of_range_raises_as_ever(name):
    function, error, message = LOOKUPS[name]
    step = torch.compile(function)
    x = torch.rand(3, 3)
    for _ in range(2):
        places = torch.tensor([0, 2, 1])
        np.testing.assert_allclose(step(x, places), function(x, places), rtol=1e-6)
        for wrong in ([0, 3, 1], [0, 1, 5]):
            with pytest.raises(error, match=message):
                step(x, torch.tensor(wrong))


def test_the_largest_of_numbers_among_which_one_is_none():
    def extremes(x):
        return (x.amax(1), x.max(0).values, x.max(), x.argmax(1), x.min(1).values, x.amin(0),
                torch.maximum(x, x.flip(0)), F.max_pool2d(x[None], 2), x.clamp(0, 1))  # fmt: skip

    step = torch.compile(extremes)
    for n in range(4):
        x = torch.rand(4, 4)
        x[n, 1], x[1, 2], x[2, 3] = np.nan, np.inf, -np.inf
        for ours, theirs in zip(step(x), extremes(x), strict=True):
            np.testing.assert_array_equal(ours, theirs)
