"""What a compiled function takes and gives: by position and by name, in containers of any kind."""

import collections
import copy
import functools

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

pytestmark = [pytest.mark.usefixtures("plain"), pytest.mark.filterwarnings("error:compile")]

Pair = collections.namedtuple("Pair", "first second")


def close(ours, theirs):
    np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=1e-5, atol=1e-7)


def test_keywords_and_defaults():
    def scaled(x, factor=2.0, *, shift=None, power=1.0):
        return (x * factor if shift is None else x * factor + shift) ** power

    step = torch.compile(scaled)
    x = torch.rand(3)
    for n in (1.0, 2.0, 3.0, 4.0):
        for given in ({}, {"factor": n}, {"shift": x * n}, {"power": n}, {"power": n, "shift": x}):
            close(step(x, **given), scaled(x, **given))
            assert step.source
        close(step(x, n), scaled(x, n))


def test_a_number_given_by_name_is_followed(traces):
    step = torch.compile(lambda x, *, lr: x * lr)
    for lr in (0.1, 0.2, 0.3, 0.4, 0.5):
        assert step(torch.ones(1), lr=lr).item() == pytest.approx(lr)
    assert len(traces) == 2


def test_any_number_of_arguments():
    def total(*xs, **named):
        return sum(xs) + sum(named.values())

    step = torch.compile(total)
    x = torch.rand(2)
    for count in (1, 2, 3, 2, 1):
        close(step(*[x * count] * count), total(*[x * count] * count))
        close(step(x, a=x * count, b=x), total(x, a=x * count, b=x))


def test_containers_of_tensors(traces):
    def product(batch, scale):
        return {"out": [batch["x"][0] * batch["more"]["y"] * scale, None, "text"], "n": len(batch)}

    step = torch.compile(product)
    for n in range(1, 4):
        batch = {"x": [torch.rand(3)], "more": {"y": torch.rand(3) * n}}
        found, expected = step(batch, 2.0), product(batch, 2.0)
        close(found["out"][0], expected["out"][0])
        assert (found["out"][1:], found["n"]) == ([None, "text"], 2)
    assert len(traces) == 1
    assert step({"x": [torch.ones(1)], "more": {"y": torch.ones(1)}}, 3.0)["out"][0].item() == 3


def test_named_tuples_stay_what_they_are():
    step = torch.compile(lambda pair: Pair(pair.first * 2, pair.second.max(1)))
    for _ in range(3):
        pair = Pair(torch.rand(3), torch.rand(3, 4))
        found = step(pair)
        assert type(found) is Pair
        close(found.first, pair.first * 2)
        assert repr(found.second).startswith("torch.return_types.max(")
        assert torch.equal(found.second.indices, pair.second.argmax(1))


def test_numbers_that_are_returned_are_this_calls():
    step = torch.compile(lambda x, lr: (x * lr, lr * 2 + 1, x.shape[0]))
    for lr in (0.5, 1.0, 1.5, 2.0):
        scaled, number, rows = step(torch.ones(2), lr)
        assert (scaled[0].item(), number, type(number), rows) == (lr, 2 * lr + 1, float, 2)


def models():
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train(model, optimizer, loss_func, x, y):
    loss = loss_func(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss


def test_a_model_an_optimiser_and_a_loss_are_arguments():
    step = torch.compile(train)
    ours, theirs, others = models(), models(), models()
    for n in range(4):
        x, y = torch.rand(5, 4), torch.randint(0, 3, (5,))
        close(step(*ours, F.cross_entropy, x, y), train(*theirs, F.cross_entropy, x, y))
        close(ours[0].weight, theirs[0].weight)
        if n == 2:
            step(*others, F.cross_entropy, x, y)
            ours[1].param_groups[0]["lr"] = theirs[1].param_groups[0]["lr"] = 0.2
    assert step.source
    assert not torch.equal(others[0].weight, ours[0].weight)


def test_a_method_is_compiled_for_each_object():
    class Scaled(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.layer, self.scale = nn.Linear(3, 2), scale

        @torch.compile
        @torch.no_grad()
        def forward(self, x):
            return self.layer(x) * self.scale

    first, second = Scaled(2.0), Scaled(3.0)
    for _ in range(3):
        x = torch.rand(4, 3)
        for each in (first, second):
            close(each(x), each.layer(x) * each.scale)
        first.scale += 1


def test_partial_functions_and_objects_that_are_called():
    class Doubled:
        factor = 2.0

        def __call__(self, x):
            return x * self.factor

    doubled = Doubled()
    close(torch.compile(doubled)(torch.ones(2)), torch.full((2,), 2.0))
    step = torch.compile(functools.partial(lambda x, y, k: x * y * k, k=3.0))
    close(step(torch.ones(2), torch.ones(2)), torch.full((2,), 3.0))
    close(torch.compile(torch.sin)(torch.ones(2)), torch.ones(2).sin())


def test_gradients_of_arguments_go_to_the_arguments():
    def step(x, y):
        (x * y).pow(2).sum().backward()
        return x.grad

    compiled = torch.compile(step)
    for _ in range(3):
        given = [torch.rand(3).requires_grad_() for _ in range(2)]
        alike = [each.detach().clone().requires_grad_() for each in given]
        for _ in range(2):
            close(compiled(*given), step(*alike))
            for ours, theirs in zip(given, alike, strict=True):
                close(ours.grad, theirs.grad)


def test_an_argument_that_is_a_parameter_too():
    w = torch.ones(3, requires_grad=True)
    step = torch.compile(lambda x: (w * x).detach())
    for x in (w, torch.full((3,), 2.0, requires_grad=True), w, w):
        close(step(x), w * x)


def test_names_that_the_source_has_for_itself():
    def mixed(i, j, numbers, np, v1, x_l, index, part):
        return i + j * numbers - np + v1 * x_l + index + part

    step = torch.compile(mixed)
    for _ in range(3):
        given = [torch.rand(2, 3) for _ in range(8)]
        close(step(*given), mixed(*given))


def test_a_compiled_module_is_like_the_module():
    module = torch.compile(nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)))
    assert len(module.state_dict()) == 2
    module.eval()
    assert not module._orig_mod[1].training
    assert torch.compile(nn.Linear(3, 2)).in_features == 3
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018
    twin = copy.deepcopy(module)
    with torch.no_grad():
        twin._orig_mod[0].weight.zero_()
        x = torch.ones(1, 3)
        close(twin(x), twin._orig_mod(x))
        close(module(x), module._orig_mod(x))
        assert not torch.equal(twin(x), module(x))


def test_a_compiled_function_within_another():
    w = torch.zeros(3)
    inner = torch.compile(lambda x, w: w.add_(x))

    def outer(x, w):
        inner(x, w)
        return w.sum()

    step = torch.compile(outer)
    assert [step(torch.ones(3), w).item() for _ in range(4)] == [3, 6, 9, 12]


def test_one_tensor_in_several_places():
    step = torch.compile(lambda x, more: x + more[0])
    x = torch.rand(2)
    for other in (x, torch.rand(2), x, torch.rand(2)):
        close(step(x, (other,)), x + other)


@pytest.mark.parametrize(
    "function", [lambda x: lambda: x, lambda x: lambda z=x * 2: z, lambda x: lambda *, z=x: z]
)
def test_a_function_that_is_returned_holds_the_tensors_of_its_own_call(function):
    compiled = torch.compile(function)
    with pytest.warns(UserWarning, match="returns an object that it made, of type function"):
        found = [compiled(torch.ones(2) * factor)().tolist() for factor in (1, 5, 7)]
    assert found == [function(torch.ones(2) * factor)().tolist() for factor in (1, 5, 7)]


def nested(depth):
    found: list[object] = []
    for _ in range(depth):
        found = [found]
    return found


ITSELF: list[object] = []
ITSELF.append(ITSELF)
DEEP = nested(3000)


@pytest.mark.parametrize("given", [ITSELF, DEEP], ids=["in itself", "deep"])
def test_containers_that_cannot_be_looked_through_are_no_obstacle(given):
    assert torch.compile(lambda x, y: x * len(y))(torch.ones(2), given).tolist() == [1, 1]
    with pytest.warns(UserWarning, match="nested too deep to be looked through"):
        assert torch.compile(lambda x: x * len(DEEP))(torch.ones(2)).tolist() == [1, 1]


def test_a_function_that_records_while_gradients_are_off_around_it_goes_on_recording():
    def tripled(x):
        with torch.enable_grad():
            return x * 3

    compiled, x = torch.compile(tripled), torch.ones(2, requires_grad=True)
    with torch.no_grad(), pytest.warns(UserWarning, match="gradients, which are off around"):
        results = [compiled(x) for _ in range(3)]
    assert [str(result.grad_fn)[:13] for result in results] == ["<MulBackward0"] * 3
    with torch.no_grad():
        assert torch.compile(lambda x: x * 3)(x).grad_fn is None
