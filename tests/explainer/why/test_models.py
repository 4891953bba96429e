"""Models that do not learn: the mistake is named, and the parameters that it concerns."""

import copy
import inspect

import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn, optim
from tinygrad_mnist.explainer import why
from tinygrad_mnist.explainer.why import memory, walks
from tinygrad_mnist.nn import functional as F

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

X = torch.linspace(-1, 1, 32).view(8, 4)
Y = torch.arange(8) % 3


def mlp(*between):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), *(between or [nn.ReLU()]), nn.Linear(5, 3))


def trained(model, loss_of=F.cross_entropy, steps=1, optimizer=None):
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model(X), Y)
        loss.backward()
        optimizer.step()
    return model, loss, optimizer


def right():
    return "nothing", "", trained(mlp(), steps=3)


def dead_relu_network():
    model = mlp()
    with torch.no_grad():
        model[0].bias.fill_(-100.0)
    return "dead_relu", "2 of 4 parameters (0.weight, 0.bias)", trained(model)


def saturated_network():
    model = mlp(nn.Sigmoid())
    with torch.no_grad():
        model[0].bias.fill_(300.0)
    return "saturated", "2 of 4 parameters (0.weight, 0.bias)", trained(model)


def forgotten_parameter():
    model = mlp()
    optimizer = optim.SGD(model[2].parameters(), lr=0.1)
    return "not_in_optimizer", "(0.weight, 0.bias)", trained(model, optimizer=optimizer)


def replaced_layer():
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model[2] = nn.Linear(5, 3)
    return "not_in_optimizer", "(2.weight, 2.bias)", trained(model, optimizer=optimizer)


def forgotten_backward():
    model = mlp()
    loss = F.cross_entropy(model(X), Y)
    return "not_walked", "4 of 4 parameters", (model, loss)


def forgotten_step():
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loss = F.cross_entropy(model(X), Y)
    loss.backward()
    return "no_step", "4 of 4 parameters", (model, loss, optimizer)


def forgotten_zero_grad():
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        loss = F.cross_entropy(model(X), Y)
        loss.backward()  # here
        optimizer.step()
    return "accumulated", "4 of 4 parameters", (model, loss, optimizer)


def forgotten_zero_grad_by_hand():
    w = torch.ones(3, requires_grad=True)
    for _ in range(3):
        loss = (w * w).sum()
        loss.backward()  # here
        with torch.no_grad():
            w -= 0.1 * w.grad
    return "accumulated", "", (w, loss)


def gathered_gradients():
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for part in (slice(4), slice(4, 8)):
        loss = F.cross_entropy(model(X[part]), Y[part])
        loss.backward()
    optimizer.step()
    return "nothing", "", (model, loss, optimizer)


def two_losses_that_take_turns():
    critic, source = mlp(), nn.Linear(4, 4)
    optimizer = optim.SGD(critic.parameters(), lr=0.1)
    for _ in range(3):
        made = source(X)
        loss = F.cross_entropy(critic(made.detach()), Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        critic(made).sum().backward()
    return "nothing", "", (critic, loss, optimizer)


def a_bias_before_batch_norm():
    return "nothing", "", trained(mlp(nn.BatchNorm1d(5), nn.ReLU()))


def learning_rate_of_zero():
    model = mlp()
    return "lr_zero", "", trained(model, optimizer=optim.SGD(model.parameters(), lr=0.0))


def a_step_lost_in_rounding():
    model = mlp()
    return "too_small", "", trained(model, optimizer=optim.SGD(model.parameters(), lr=1e-12))


def frozen():
    model = mlp()
    model[0].requires_grad_(False)
    return "frozen", "(0.weight, 0.bias)", trained(model)


class Encoded(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Linear(4, 5), nn.Linear(5, 3)
        self.spare = nn.Linear(2, 2)

    def forward(self, x):
        code = self.encoder(x).detach()  # here
        return self.head(code)


def detached_encoder():
    model = Encoded()
    return "detach", "2 of 6 parameters (encoder.weight, encoder.bias)", trained(model)


def wrong_loss():
    model = mlp()
    score = model(X).argmax(1)  # here
    loss = (score != Y).float().mean().requires_grad_()
    loss.backward()
    return "no_derivative", "4 of 4 parameters", (model, loss)


def softmax_twice():
    return "applied_twice", "", trained(mlp(nn.ReLU(), nn.Linear(5, 5)), _of_probabilities)


def _of_probabilities(scores, y):
    return F.cross_entropy(scores.softmax(1), y)  # here


def softmax_of_one():
    model = nn.Linear(4, 1)
    return "constant", "", trained(model, lambda out, _: F.cross_entropy(out, Y * 0))


def batch_norm_in_eval():
    model = mlp(nn.BatchNorm1d(5), nn.ReLU())
    model.eval()
    return "nothing", "", trained(model)


def too_high_a_learning_rate():
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=1e30)
    return "forward_not_finite", "", trained(model, F.cross_entropy, 4, optimizer)


def zero_weights():
    model = mlp()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return "times_zero", "3 of 4 parameters (0.weight, 0.bias, 2.weight)", trained(model)


def copied_model():
    model = mlp()
    twin = copy.deepcopy(model)
    _, loss, _ = trained(twin, optimizer=optim.SGD(model.parameters(), lr=0.1))
    loss.twin = twin
    return "copy", "4 of 4 parameters", (model, loss)


def layers_in_a_list():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(4, 3)]

    return "no_parameter", "`layers` is a list of Linears", (Listed(),)


def a_plain_tensor():
    model = mlp()
    model[0].scale = torch.ones(5, requires_grad=True)
    return "no_parameter", "`0.scale` is a Tensor", trained(model)


def sigmoid_twice():
    model = nn.Linear(4, 1)

    def loss_of(scores, _):
        return F.binary_cross_entropy_with_logits(scores.sigmoid(), torch.ones(8, 1))  # here

    return "applied_twice", "sigmoid", trained(model, loss_of)


def no_logarithm():
    return "no_logarithm", "what linear gives", trained(mlp(), F.nll_loss)


def steps_that_make_new_tensors():
    model = mlp()
    for _ in range(2):
        model.zero_grad()
        loss = F.cross_entropy(model(X), Y)
        loss.backward()
        for parameter in model.parameters():
            parameter = parameter - 0.1 * parameter.grad
    return "no_step", "4 of 4 parameters", (model, loss)


def cleared_before_the_step():
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loss = F.cross_entropy(model(X), Y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return "cleared", "4 of 4 parameters", (model, loss, optimizer)


def numbers_for_the_head():
    model = mlp()
    hidden = torch.tensor(model[0](X).tolist())  # here
    loss = F.cross_entropy(model[2](hidden), Y)
    loss.backward()
    return "item", "(0.weight, 0.bias)", (model, loss)


CASES = [
    right, dead_relu_network, saturated_network, forgotten_parameter, replaced_layer,
    forgotten_backward, forgotten_step, forgotten_zero_grad, forgotten_zero_grad_by_hand,
    gathered_gradients, two_losses_that_take_turns, a_bias_before_batch_norm, learning_rate_of_zero,
    a_step_lost_in_rounding, frozen, detached_encoder, wrong_loss, softmax_twice, softmax_of_one,
    batch_norm_in_eval, too_high_a_learning_rate, zero_weights, copied_model, layers_in_a_list,
    numbers_for_the_head, a_plain_tensor, sigmoid_twice, no_logarithm, steps_that_make_new_tensors,
    cleared_before_the_step,
]  # fmt: skip
MARKED = {
    number
    for number, line in enumerate(inspect.getsource(inspect.getmodule(mlp)).splitlines(), 1)
    if line.endswith("# here")
}


@pytest.mark.parametrize("program", CASES, ids=lambda program: program.__name__)
def test_the_mistake_is_named(program):
    with torch.why.remember():
        cause, said, asked = program()
    reason = torch.why(*asked)
    assert reason.cause == cause, reason
    assert said in reason.paragraph
    if cause in ("detach", "no_derivative", "item", "applied_twice", "accumulated"):
        assert reason.line.number in MARKED, reason
        assert reason.line.file == __file__


def test_several_mistakes_are_all_told():
    with torch.why.remember():
        model = Encoded()
        optimizer = optim.SGD(model.encoder.parameters(), lr=0.1)
        _, loss, _ = trained(model, optimizer=optimizer)
    reason = torch.why(model, loss, optimizer)
    causes = [reason.cause, *[each.cause for each in reason.also]]
    assert sorted(causes) == ["detach", "not_in_optimizer", "unused"]


def test_the_layer_is_named():
    with torch.why.remember():
        _, said, asked = dead_relu_network()
    reason = torch.why(*asked)
    assert "relu in `1` (ReLU)" in str(reason)
    assert said in str(reason).replace("\n", " ")


def test_without_memory_much_is_known_too(monkeypatch):
    again = walks.made_again
    torch.why.remember(False)
    model = mlp()
    with torch.no_grad():
        model[0].bias.fill_(-100.0)
    loss = F.cross_entropy(model(X), Y)
    loss.backward(retain_graph=True)
    made = []
    monkeypatch.setattr(walks, "made_again", lambda root: made.append(root) or again(root))
    assert torch.why(model, loss).cause == "dead_relu"
    assert made == [loss._record]
    assert not walks.again.walks
    sick, large, _ = trained(mlp(), lambda scores, _: (scores * 1e30).sum(), steps=3)
    assert torch.why(sick, large).cause == "bad_numbers"
    assert torch.why(model[0].weight, loss).elements == (40, 40)


def test_the_page_gets_its_reasons():
    with torch.why.remember():
        model, loss, _ = trained(Encoded())
    known = {}
    walk = memory.threads.memory.passes[-1]
    for number, record in enumerate(walk.order):
        known[record] = number
    for number, parameter in enumerate(model.parameters(), 100):
        known[parameter._record] = number
    told = why.reasons(model.parameters(), loss, known.get)
    assert [(each.node, each.cause) for each in told] == [
        (100, "detach"), (101, "detach"), (104, "unused"), (105, "unused"),
    ]  # fmt: skip
    model = mlp()
    with torch.no_grad():
        model[0].bias.fill_(-100.0)
    with torch.why.remember():
        _, loss, _ = trained(model)
    numbers = {record: at for at, record in enumerate(memory.threads.memory.passes[-1].order)}
    first, *_ = why.reasons(model.parameters(), loss, numbers.get)
    assert first.cause == "dead_relu"
    assert first.chain[0] == first.node == numbers[model[0].weight._record]
    assert first.chain[-1] == 0
