"""What is remembered: switched on and off, by thread, in bounds; nothing is left on."""

import sys
import threading
import weakref

import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import OBSERVERS
from tinygrad_mnist.explainer.why import memory

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def forgotten():
    torch.why.remember(False)
    yield
    torch.why.remember(False)


def is_off():
    return not OBSERVERS and backward_mode.vjp is None and backward_mode.walk is None


def test_off_it_is_not_there():
    x = torch.ones(2, requires_grad=True)
    loss = (x * 2).sum()
    assert torch.why(x, loss).cause == "not_walked"
    assert is_off()
    assert memory.threads.memory is None


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_is_left_on_after_an_exception(error):
    x = torch.ones(2, requires_grad=True)

    def interrupt(gradient):
        raise error

    loss = (x * 2).sum()
    x.register_hook(interrupt)
    with pytest.raises(error), torch.why.remember():
        loss.backward()
    assert is_off()


def test_a_plain_call_switches_on_and_off():
    torch.why.remember()
    x = torch.ones(2, requires_grad=True)
    y = x.detach() * 2
    assert torch.why(x, y).cause == "detach"
    torch.why.remember(False)
    assert is_off()
    assert torch.why(x, y).cause == "unreachable"


def test_a_second_call_takes_the_place_of_the_first():
    torch.why.remember()
    first = memory.threads.memory
    torch.why.remember()
    torch.exp(torch.ones(2))
    assert not first.calls
    assert memory.threads.memory.calls
    torch.why.remember(False)
    assert is_off()
    with torch.why.remember():
        outer = memory.threads.memory
        with torch.why.remember():
            pass
        torch.exp(torch.ones(2))
        assert outer.calls
    assert is_off()


def test_anomaly_detection_goes_on_inside_and_outside():
    x = torch.zeros(1, requires_grad=True)
    for outer, inner in [
        (torch.why.remember, torch.autograd.detect_anomaly),
        (torch.autograd.detect_anomaly, torch.why.remember),
    ]:
        with outer(), inner():
            assert torch.autograd.is_anomaly_enabled()
            loss = torch.sqrt(x * 1) * 0
            with pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan"):
                loss.backward()
        assert is_off()
    with torch.why.remember():
        assert not torch.autograd.is_anomaly_enabled()


def test_who_listened_before_is_told_of_everything():
    heard = []
    from tinygrad_mnist.engine.observer import observe

    with observe(lambda op, *_: heard.append(op.name)), torch.why.remember():
        torch.exp(torch.ones(2))
    assert "exp" in heard


def test_it_belongs_to_a_thread():
    causes = []

    def elsewhere():
        x = torch.ones(2, requires_grad=True)
        y = x.detach() * 2
        causes.append(torch.why(x, y).cause)
        with torch.why.remember():
            y = x.detach() * 2
        causes.append(torch.why(x, y).cause)

    with torch.why.remember():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(memory.threads.memory.calls) == 0
    assert causes == ["unreachable", "detach"]


def test_no_numbers_are_held():
    with torch.why.remember():
        x = torch.ones(1000, requires_grad=True)
        h = x * 2
        array = weakref.ref(h._array)
        y = h.detach() * 3
    del h
    assert array() is None
    assert torch.why(x, y).cause == "detach"


def test_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(memory, "KEPT", 50)
    with torch.why.remember():
        x = torch.ones(2, requires_grad=True)
        for _ in range(100):
            y = x.detach() * 2
            (x * 3).sum().backward()
    known = memory.threads.memory
    assert len(known.calls) == 50
    assert max(map(len, (known._of_record, known._of_array, known._plain))) <= 50
    assert torch.why(x).cause == "nothing"
    assert y is not None


def chained(start, links=5_000):
    for _ in range(links):
        start = start * 1.0
    return start


def test_a_long_chain_needs_no_recursion():
    assert sys.getrecursionlimit() < 5_000
    with torch.why.remember():
        x = torch.tensor([-1.0], requires_grad=True)
        loss = chained(torch.relu(x)).sum()
        loss.backward()
        y = torch.ones(1, requires_grad=True)
        cut = chained(chained(y).detach()).sum()
    for reason, cause, length in [
        (torch.why(x, loss), "dead_relu", 5_003),
        (torch.why(y, cut), "detach", 10_003),
    ]:
        assert (reason.cause, len(reason.chain)) == (cause, length)
        assert "more …" in str(reason)


def test_several_cuts_are_named_from_the_first_on():
    with torch.why.remember():
        x = torch.ones(2, requires_grad=True)
        a = (x * 2).detach()
        with torch.no_grad():
            b = a.requires_grad_() * 3
        loss = torch.tensor(b.sum().item(), requires_grad=True)
    reason = torch.why(x, loss)
    assert reason.cause == "detach"
    assert [each.cause for each in reason.also] == ["no_grad"]
    assert "Also: " in str(reason)


def test_views_and_changes_in_place():
    with torch.why.remember():
        x = torch.ones(4, requires_grad=True)
        h = x * 2
        view = h[:2]
        view.zero_()
        loss = h.sum()
        loss.backward(retain_graph=True)
        y = torch.zeros(4)
        with torch.no_grad():
            y.copy_(x)
        other = (y * torch.ones(4, requires_grad=True)).sum()
    reason = torch.why(x, loss)
    assert (reason.cause, x.grad.tolist()) == ("overwritten", [0, 0, 2, 2])
    assert torch.why(torch.ones(1)).cause == "requires_grad"
    x.grad = None
    assert torch.why(x, other).cause == "no_grad"


def test_what_is_changed_in_place_keeps_the_line_that_made_it():
    with torch.why.remember():
        x = torch.ones(2, requires_grad=True)
        y = torch.sigmoid(x)
        z = y**2
        y += 1
        with pytest.raises(RuntimeError, match="modified by an inplace"):
            z.sum().backward()
    lines = [link.line.text for link in torch.why(x).chain]
    assert lines == ["x = torch.ones(2, requires_grad=True)", "y = torch.sigmoid(x)", "z = y**2",
                     "z.sum().backward()"]  # fmt: skip


def test_a_backward_pass_hides_what_autograd_grad_asked_for():
    x, w = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with torch.why.remember():
        (x * w).sum().backward()
        w.grad = None
        torch.autograd.grad((x * w).sum(), x)
    assert torch.why(w).cause == "cleared"


def test_a_loss_is_told_what_a_loss_is():
    with torch.why.remember():
        loss = torch.ones(2, requires_grad=True).sum()
        hint = torch.why(loss)
        loss.backward()
    assert "If it is the loss" in hint.paragraph
    for reason in (torch.why(loss), torch.why(loss, loss)):
        assert (reason.cause, "backward() starts here" in reason.paragraph) == ("not_a_leaf", True)
        assert reason.fix.startswith("nothing. Ask why of")


@pytest.mark.parametrize(
    "lost",
    [
        torch.relu,
        lambda x: x.clamp(0, 1),
        lambda x: x * 0,
        torch.round,
        lambda x: (-x).sqrt() * 0,
        lambda x: (x * 500).sigmoid(),
    ],
)
def test_one_number_is_not_one_of_one(lost):
    x = torch.tensor(-1.0 if lost(torch.tensor(-1.0)).item() == 0 else 0.0, requires_grad=True)
    lost(x).backward(retain_graph=True)
    assert "1 of 1" not in str(torch.why(x, lost(x)))


def test_a_call_that_lacks_the_tensor_is_told_as_pytorch_tells_it():
    with pytest.raises(
        TypeError, match=r"^why\(\) missing 1 required positional argument: 'subject'"
    ):
        torch.why()


def test_a_compiled_step():
    @torch.compile
    def step(x, w):
        return torch.relu(x * w).sum()

    w = torch.tensor([-1.0, -2.0], requires_grad=True)
    with torch.why.remember():
        loss = step(torch.ones(2), w)
        loss.backward()
    assert torch.why(w, loss).cause == "dead_relu"
    w.grad = None
    torch.why.remember(False)
    step(torch.ones(2), w).backward()
    assert torch.why(w).cause == "unknown"


def test_gradients_of_gradients():
    with torch.why.remember():
        x = torch.tensor([2.0], requires_grad=True)
        (slope,) = torch.autograd.grad(x * 3, x, torch.ones(1), create_graph=True)
        loss = (slope * torch.ones(1, requires_grad=True)).sum()
        loss.backward()
    reason = torch.why(x, loss)
    assert reason.cause in ("by_grad", "unused")


def test_wrong_arguments():
    with pytest.raises(TypeError, match="'subject' must be Tensor or Module, not list"):
        torch.why([1.0])
    with pytest.raises(TypeError, match="'loss' must be Tensor, not float"):
        torch.why(torch.ones(1), 1.0)
    with pytest.raises(TypeError, match="'optimizer' must be Optimizer, not int"):
        torch.why(torch.ones(1), None, 1)
