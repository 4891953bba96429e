"""Each cause is named rightly: a small program each, told with memory and without.

A program returns the tensor (or the model) to ask about, the loss, and perhaps the optimiser. The
line that is the cause bears the comment `here`.
"""

import inspect
import math
from typing import NamedTuple

import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Case(NamedTuple):
    program: object
    cause: str
    without: str
    elements: tuple[int, int] | None


CASES: list[Case] = []
UNSEEN = "unreachable"
"""What is said of a cut without memory."""
BLIND = "unknown"
"""What is said of a gradient whose graph is gone, without memory."""


def case(cause, without=None, elements=None):
    def add(program):
        CASES.append(Case(program, cause, without or cause, elements))
        return program

    return add


def leaf(*numbers):
    return torch.tensor(numbers, requires_grad=True)


# No way from the loss to the tensor


@case("detach", UNSEEN)
def detached():
    x = leaf(1.0, 2.0)
    h = (x * 2).detach()  # here
    return x, (h * 3).sum()


@case("detach_", UNSEEN)
def detached_in_place():
    x = leaf(1.0, 2.0)
    h = x * 2
    h.detach_()  # here
    return x, (h * 3).sum()


@case("data", UNSEEN)
def data():
    x = leaf(1.0, 2.0)
    h = x.data  # here
    return x, (h * 3).sum()


@case("torch.tensor", UNSEEN)
def copied_by_torch_tensor():
    x = leaf(1.0, 2.0)
    h = torch.tensor(x * 2)  # here
    return x, (h * 3).sum()


@case("no_grad", UNSEEN)
def under_no_grad():
    x = leaf(1.0, 2.0)
    with torch.no_grad():
        h = x * 2  # here
    return x, (h * 3).sum()


@case("no_grad", UNSEEN)
def under_inference_mode():
    x, w = leaf(1.0, 2.0), leaf(1.0, 1.0)
    with torch.inference_mode():
        h = torch.exp(x)  # here
    return x, (h * w).sum()


@case("integer", UNSEEN)
def whole_numbers():
    x = leaf(1.0, 2.0)
    h = x.long()  # here
    return x, (h * 3.0).sum()


@case("no_derivative", UNSEEN)
def argmax():
    x, w = leaf(1.0, 2.0), leaf(3.0)
    h = x.argmax(0)  # here
    return x, (h * w).sum()


@case("no_derivative", UNSEEN)
def indices_of_the_largest():
    x = leaf(1.0, 2.0)
    _, h = torch.max(x, 0)  # here
    return x, h * leaf(1.0)


@case("no_derivative", UNSEEN)
def compared():
    x = leaf(1.0, 2.0)
    h = x > 1.5  # here
    return x, h.float().mean()


@case("item", UNSEEN)
def item():
    x = leaf(1.5)
    number = x.sum().item()  # here
    return x, torch.tensor([number]) * 2


@case("item", UNSEEN)
def item_times_tensor():
    x, w = leaf(1.5), leaf(2.0)
    number = x.sum().item()  # here
    return x, (w * number).sum()


@case("item", UNSEEN)
def item_computed_on_by_python():
    x = leaf(1.5)
    number = float(x)  # here
    return x, torch.tensor(math.exp(number), requires_grad=True)


@case("item", UNSEEN)
def tolist():
    x = leaf(1.0, 2.0)
    h = torch.tensor((x * 2).tolist())  # here
    return x, h.sum()


@case("item", UNSEEN)
def through_numpy():
    x = leaf(1.0, 2.0)
    with torch.no_grad():
        numbers = x.numpy()  # here
    return x, torch.from_numpy(numbers * 3).sum()


@case("detach", UNSEEN)
def detached_and_through_numpy():
    x = leaf(1.0, 2.0)
    h = torch.from_numpy(x.detach().numpy())  # here
    return x, h.sum()


@case("unused", UNSEEN)
def unused():
    x, w = leaf(1.0, 2.0), leaf(1.0, 2.0)
    x * 2
    return x, (w * 2).sum()


@case("unused_output")
def an_output_that_is_not_used():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    first, second = x.split(2)
    second.retain_grad()
    loss = first.sum()
    loss.backward()
    return second, loss


@case("copy")
def a_copy_is_asked():
    import copy

    model = nn.Linear(2, 1)
    twin = copy.deepcopy(model)
    loss = twin(torch.ones(1, 2)).sum()
    loss.backward()
    loss.twin = twin
    return model.weight, loss


# No gradient though there is a way


@case("requires_grad")
def not_asked_for():
    x = torch.tensor([1.0, 2.0])
    return x, (x * leaf(1.0, 2.0)).sum()


@case("frozen")
def frozen():
    x = leaf(1.0, 2.0).requires_grad_(False)
    return x, (x * leaf(1.0, 2.0)).sum()


@case("asked_late", UNSEEN)
def asked_for_too_late():
    x, w = torch.tensor([1.0, 2.0]), leaf(1.0, 2.0)
    loss = (x * w).sum()
    x.requires_grad_()
    loss.backward()
    return x, loss


@case("not_a_leaf")
def no_leaf():
    x = torch.ones(3, requires_grad=True) * 0.1  # here
    loss = x.sum()
    loss.backward()
    return x, loss


@case("not_walked")
def backward_never_called():
    x = leaf(1.0, 2.0)
    return x, (x * 2).sum()


@case("cleared")
def cleared():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    loss.backward()  # here
    torch.optim.SGD([x], lr=0.1).zero_grad()
    return x, loss


@case("cleared", BLIND)
def set_to_zero():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    loss.backward()
    torch.optim.SGD([x], lr=0.1).zero_grad(set_to_none=False)  # here
    return x, loss


@case("by_grad", "cleared")
def autograd_grad():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()
    torch.autograd.grad(loss, x)  # here
    return x, loss


@case("not_asked", "cleared")
def other_inputs():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    loss = (x * w).sum()
    loss.backward(inputs=[w])  # here
    return x, loss


class NoGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return None


class Zeros(NoGradient):
    @staticmethod
    def backward(ctx, g):
        return g * 0


@case("function", "not_walked")
def a_function_that_returns_none():
    x = leaf(1.0, 2.0)
    loss = NoGradient.apply(x).sum()  # here
    loss.backward()
    return x, loss


@case("retained_late", "cleared")
def retain_grad_too_late():
    x = leaf(1.0, 2.0)
    h = x * 2
    loss = (h * h).sum()
    loss.backward()  # here
    h.retain_grad()
    return h, loss


@case("not_a_leaf")
def a_step_that_makes_a_new_tensor():
    w = leaf(1.0, 2.0)
    (w * w).sum().backward()
    w = w - 0.1 * w.grad  # here
    return w, (w * w).sum()


@case("item", UNSEEN)
def a_list_of_tensors():
    x, y = leaf(1.5), leaf(2.5)
    h = torch.tensor([x, y])  # here
    return x, (h * h).sum()


@case("item", UNSEEN)
def a_total_of_numbers():
    x = leaf(1.5)
    total = 0.0
    for scale in (2.0, 3.0, 4.0):
        total += (x * scale).sum().item()  # here
    return x, torch.tensor(total, requires_grad=True)


def fails(loss):
    with pytest.raises(RuntimeError):
        loss.backward()


@case("freed", "cleared")
def backward_twice():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()  # here
    loss.backward()
    x.grad = None
    fails(loss)
    return x, loss


@case("freed", "nothing")
def backward_twice_after_a_gradient():
    x = leaf(1.0, 2.0)
    loss = (x * x).sum()  # here
    loss.backward()
    fails(loss)
    return x, loss


@case("changed")
def overwritten_before_backward():
    x = leaf(1.0, 2.0)
    h = x * 2
    loss = (h * h).sum()
    h += 1  # here
    fails(loss)
    return x, loss


class Failing(NoGradient):
    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("not today")


@case("failed", "not_walked")
def an_error_on_the_way():
    x = leaf(1.0, 2.0)
    loss = Failing.apply(x).sum()  # here
    fails(loss)
    return x, loss


# A gradient of zero


@case("function", elements=(2, 2))
def a_function_that_returns_zeros():
    x = leaf(1.0, 2.0)
    loss = Zeros.apply(x).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("dead_relu", elements=(3, 3))
def dead_relu():
    x = leaf(-1.0, -2.0, 0.0)
    h = torch.relu(x)  # here
    loss = h.sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("dead_relu", elements=(2, 3))
def partly_dead_relu():
    x = leaf(-1.0, -2.0, 5.0)
    h = torch.relu(x)  # here
    loss = h.sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("dead_relu", elements=(2, 4))
def partly_dead_relu_of_which_part_is_used():
    x = leaf(-1.0, -2.0, 5.0, 6.0)
    h = torch.relu(x)  # here
    loss = (h * torch.tensor([1.0, 1.0, 0.0, 1.0])).sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("dead_relu", BLIND, (4, 4))
def dead_relu_of_a_batch():
    w = torch.full((2, 1), -1.0, requires_grad=True)
    h = F.relu(torch.ones(4, 2) @ w)  # here
    loss = h.mean()
    loss.backward()
    return w, loss


@case("saturated", elements=(2, 2))
def saturated_sigmoid():
    x = leaf(100.0, 200.0)
    loss = torch.sigmoid(x).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("saturated", elements=(2, 2))
def saturated_tanh():
    x = leaf(100.0, -200.0)
    loss = torch.tanh(x).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("saturated", elements=(2, 2))
def saturated_softmax():
    x = leaf(0.0, 2000.0)
    loss = torch.softmax(x, 0)[1].log()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("constant", elements=(4, 4))
def softmax_over_one():
    x = torch.ones(4, 1, requires_grad=True)
    loss = F.cross_entropy(x, torch.zeros(4, dtype=torch.int64))  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("constant", elements=(3, 3))
def sum_of_softmax():
    x = leaf(1.0, 1.0, 1.0)
    loss = torch.softmax(x * 0.0, 0).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("outside", elements=(2, 2))
def clamped():
    x = leaf(5.0, 7.0)
    loss = x.clamp(0, 1).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("times_zero", elements=(2, 2))
def times_zero():
    x = leaf(5.0, 7.0)
    loss = (x * 0.0).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("times_zero", elements=(2, 2))
def dropout_of_all():
    x = leaf(5.0, 7.0)
    loss = F.dropout(x, p=1.0).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("times_zero", elements=(6, 6))
def weights_of_zero():
    x = torch.ones(3, 2, requires_grad=True)
    loss = F.linear(x, torch.zeros(4, 2, requires_grad=True)).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("cancelled")
def contributions_cancel():
    x = leaf(5.0, 7.0)
    loss = (x * 3 - x * 3).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("cancelled", elements=(1, 1))
def a_sum_that_cancels():
    b = leaf(1.0)
    x = torch.tensor([1.0, -1.0])
    loss = (x * (b + torch.zeros(2))).sum()  # here
    loss.backward(retain_graph=True)
    return b, loss


@case("cancelled", "nothing")
def all_but_rounding_cancels():
    x = leaf(1.0, 2.5, 4.0)
    loss = (x * 0.1 + x * 0.2 - x * 0.3).sum()
    loss.backward()
    return x, loss


@case("not_chosen", elements=(1, 1))
def written_where_the_loss_does_not_look():
    x = leaf(1.0)
    h = torch.zeros(3)
    h[0] = x[0] * 2  # here
    loss = h[1:].sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("times_zero", elements=(3, 3))
def targets_that_are_ignored():
    x = leaf(1.0, 2.0, 3.0)
    loss = F.cross_entropy(x[None], torch.tensor([-100]), reduction="sum")  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("underflow", elements=(2, 2))
def underflow():
    x = leaf(1.0, 2.0)
    loss = (x * 1e-30 * 1e-30).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("flat", elements=(2, 2))
def rounded():
    x = leaf(1.2, 2.7)
    loss = x.round().sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("zero_derivative", elements=(2, 2))
def at_a_minimum():
    x = leaf(0.0, 0.0)
    loss = (x**2).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("overwritten", elements=(2, 2))
def overwritten():
    x = leaf(1.0, 2.0)
    h = x * 2
    h[:] = 0.0  # here
    loss = h.sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("hook")
def a_hook_on_the_leaf():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g * 0)
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("hook")
def a_hook_on_the_way():
    x = leaf(1.0, 2.0)
    h = x * x
    h.register_hook(lambda g: g * 0)
    loss = h.sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("not_chosen", elements=(6, 10))
def rows_that_were_not_looked_up():
    table = nn.Embedding(5, 2)
    loss = table(torch.tensor([0, 3])).sum()  # here
    loss.backward(retain_graph=True)
    return table.weight, loss


@case("not_chosen", elements=(2, 3))
def not_the_largest():
    x = leaf(1.0, 5.0, 2.0)
    loss = x.max()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("zero_start", BLIND)
def started_from_zero():
    x = leaf(1.0, 2.0)
    loss = x * 2
    loss.backward(torch.zeros(2))
    return x, loss


# NaN and infinity


@case("forward_not_finite", "backward_not_finite", (1, 2))
def logarithm_of_zero():
    x = leaf(0.0, 2.0)
    loss = torch.log(x).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("forward_not_finite", "backward_not_finite", (1, 1))
def zero_by_zero():
    x = leaf(0.0)
    loss = (x / x).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("forward_not_finite", elements=(1, 2))
def overflow_of_exp():
    x = leaf(1.0, 1000.0)
    h = torch.exp(x)  # here
    loss = (h / h).sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("backward_not_finite", elements=(1, 2))
def root_of_zero():
    x = leaf(0.0, 2.0)
    loss = torch.sqrt(x).sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("backward_not_finite", elements=(1, 2))
def hidden_by_where():
    x = leaf(0.0, 4.0)
    h = torch.sqrt(x)  # here
    loss = torch.where(x > 0, h, 0.0).sum()
    loss.backward(retain_graph=True)
    return x, loss


@case("empty", "forward_not_finite", (1, 1))
def mean_of_nothing():
    x = leaf(1.0, 2.0)
    loss = x[x > 5].mean() * x.sum()  # here
    loss.backward(retain_graph=True)
    return x, loss


@case("bad_data", "forward_not_finite", (1, 2))
def nan_in_the_data():
    w = leaf(1.0, 2.0)
    x = torch.tensor([float("nan"), 1.0])  # here
    loss = (w * x).sum()
    loss.backward(retain_graph=True)
    return w, loss


def line_of(program):
    lines, first = inspect.getsourcelines(program)
    here = [first + at for at, text in enumerate(lines) if text.rstrip().endswith("# here")]
    return here[0] if here else None


def by_name(each):
    return each.program.__name__


@pytest.mark.parametrize("each", CASES, ids=by_name)
def test_with_memory(each):
    with torch.why.remember():
        asked = each.program()
    reason = torch.why(*asked)
    assert reason.cause == each.cause, reason
    line = line_of(each.program)
    if line is not None:
        assert reason.line is not None, reason
        assert (reason.line.number, reason.line.file) == (line, __file__), reason
    if each.elements is not None:
        assert reason.elements == each.elements, reason
    assert reason.fix
    assert "Fix: " in str(reason)


@pytest.mark.parametrize("each", CASES, ids=by_name)
def test_without_memory(each):
    torch.why.remember(False)
    reason = torch.why(*each.program())
    assert reason.cause == each.without, reason
    if each.cause == each.without and each.elements is not None:
        assert reason.elements == each.elements, reason
