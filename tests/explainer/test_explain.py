"""`explain`: of functions and tensors, of all that can go wrong, and nothing left behind."""

import threading
import warnings

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.explainer.data import check
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import OBSERVERS
from tinygrad_mnist.explainer.recording import building, watching

nn = torch.nn


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    assert OBSERVERS == {}
    assert (backward_mode.vjp, backward_mode.walk, backward_mode.running) == (None, None, None)
    assert torch.is_grad_enabled()


def leaf(*numbers, dtype=torch.float32):
    return torch.tensor(numbers, dtype=dtype, requires_grad=True)


def ops(explanation):
    return [node.op for node in explanation.nodes if node.op]


def phases(explanation):
    return [step.phase[0] for step in explanation.steps]


def named(explanation, name):
    (node,) = [node for node in explanation.nodes if node.name == name]
    return node


# What is explained


def test_a_function_of_numbers_and_arrays():
    explanation = torch.explain(lambda a, b: (a * b).sum(), 3, np.array([1.0, 2.0]))
    assert named(explanation, "a").gradient.array == 3.0
    np.testing.assert_array_equal(named(explanation, "b").gradient.array, [3.0, 3.0])
    assert phases(explanation) == ["f"] * 2 + ["b"] * 2 + ["a"] * 2
    check(explanation.to_json())


def test_the_pass_of_a_function_leaves_every_grad_and_its_graph():
    x = leaf(1.0, 2.0)
    x.grad = torch.tensor([10.0, 20.0])
    explanation = torch.explain(lambda: (x * x).sum())
    (step,) = [step for step in explanation.steps if step.phase == "accumulate"]
    np.testing.assert_array_equal(step.before, [10.0, 20.0])
    np.testing.assert_array_equal(step.array, [12.0, 24.0])
    assert x.grad.tolist() == [10.0, 20.0]
    assert [step.frees for step in explanation.steps][2:4] == [(), ("input", "other")]


def test_a_tensor_whose_graph_stays():
    x = leaf(0.5, 2.0)
    h = torch.tanh(x * 2)
    h.retain_grad()
    random = torch.get_rng_state().tolist()
    y = (h + x.exp()).sum()
    explanation = torch.explain(y)
    assert explanation.found.title == "y"
    assert ops(explanation) == ["mul", "tanh", "exp", "add", "sum"]
    assert (x.grad, h.grad) == (None, None)
    assert torch.get_rng_state().tolist() == random
    expected = {node.op: node.value for node in explanation.nodes if node.op}
    np.testing.assert_array_equal(expected["mul"], (x * 2).detach().numpy())
    np.testing.assert_array_equal(expected["sum"], y.detach().numpy())
    y.backward()
    np.testing.assert_array_equal(named(explanation, "x").gradient.array, x.grad.numpy())
    check(explanation.to_json())


def test_values_that_no_record_keeps_are_left_out():
    x, y = leaf(1.0), torch.tensor([2.0])
    explanation = torch.explain((x + y).exp())
    values = {node.op or node.kind: node.value for node in explanation.nodes}
    assert (values["constant"], values["add"]) == (None, None)
    np.testing.assert_allclose(values["exp"], [np.e**3], rtol=1e-6)
    check(explanation.to_json())


def test_a_function_that_goes_backward_itself():
    def train(x):
        for factor in (1.0, 2.0, 3.0):
            (x * factor).sum().backward()

    x = leaf(1.0, 1.0)
    second = torch.explain(train, x, step=2)
    assert x.grad.tolist() == [6.0, 6.0]
    (step,) = [step for step in second.steps if step.phase == "accumulate"]
    assert (step.before.tolist(), step.array.tolist()) == ([1.0, 1.0], [3.0, 3.0])
    first = torch.explain(train, leaf(1.0))
    assert first.steps[-1].before is None
    with pytest.raises(RuntimeError, match="step=4 was asked for, and train called backward 3 tim"):
        torch.explain(train, leaf(1.0), step=4)


def test_a_loss_that_was_gone_back_through_is_not_gone_through_again():
    def loss(x):
        result = (x * x).sum()
        result.backward()
        return result

    assert torch.explain(loss, leaf(3.0)).steps[-1].array.tolist() == [6.0]


@pytest.mark.parametrize("call", [torch.add, torch.mul, torch.sub])
def test_a_leaf_that_no_variable_holds_shows_the_numbers_it_had(call):
    explanation = torch.explain(lambda x: call(x, leaf(3.0, 4.0)).sum(), leaf(1.0, 2.0))
    assert [node.value.tolist() for node in explanation.nodes[:2]] == [[1.0, 2.0], [3.0, 4.0]]


def test_a_leaf_keeps_the_name_it_had_where_it_was_used():
    def inside(x):
        inter = leaf(3.0, 4.0)
        scaled = inter * 2
        return scaled * x

    explanation = torch.explain(lambda x: inside(x).sum(), leaf(1.0, 2.0))
    kinds = {node.name: (node.kind, node.value.tolist()) for node in explanation.nodes[:2]}
    assert kinds == {"x": ("input", [1.0, 2.0]), "inter": ("leaf", [3.0, 4.0])}


@pytest.mark.parametrize("limits", [{"min": 0.5}, {"max": 0.5}, {"min": torch.tensor([0.5, 3.0])}])
def test_an_input_that_is_none_is_nothing_saved(limits):
    explanation = torch.explain(lambda x: x.clamp(**limits).sum(), leaf(1.0, 2.0))
    explanation.to_json()
    (clamp,) = [node for node in explanation.nodes if node.op == "clamp"]
    assert {saved.name for saved in clamp.saves} == {"input", *limits}


def test_contributions_that_cancel_to_no_number_raise_no_warning():
    huge = torch.explain(lambda x: (x * torch.inf - x * torch.inf).sum(), leaf(1.0))
    assert np.isnan(named(huge, "x").gradient.array).all()


def test_a_gradient_to_start_from():
    explanation = torch.explain(lambda x: x * 2, leaf(1.0, 1.0), gradient=torch.tensor([1.0, 3.0]))
    np.testing.assert_array_equal(explanation.steps[-1].array, [2.0, 6.0])
    assert "gradient of ones" in torch.explain(lambda x: x * 2, leaf(1.0, 1.0)).notes[-1]
    with pytest.raises(RuntimeError, match=r"gradient has shape \(3,\), and the tensor"):
        torch.explain(lambda x: x * 2, leaf(1.0, 1.0), gradient=torch.ones(3))


def test_a_module():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    explanation = torch.explain(model, torch.ones(1, 3))
    assert [(scope.kind, scope.name, scope.type) for scope in explanation.found.scopes][1:] == [
        ("module", "0", "Linear"), ("module", "1", "Tanh"),
    ]  # fmt: skip
    assert named(explanation, "model.0.weight").kind == "parameter"


@pytest.mark.parametrize(
    ("what", "arguments", "error", "sentence"),
    [
        (3, (), TypeError, "must be a function or a Tensor, not int"),
        (torch.ones(1), (), RuntimeError, "requires no gradient, so no graph hangs on it"),
        (
            lambda x: x,
            (torch.ones(1),),
            RuntimeError,
            "requires no gradient: none of the tensors given does; call requires_grad_",
        ),
        (lambda: (1, 2), (), RuntimeError, "returned tuple and called no backward"),
        (torch.no_grad()(lambda x: x * 2), (2.0,), RuntimeError, "requires no gradient"),
    ],
)
def test_what_cannot_be_explained_is_said(what, arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        torch.explain(what, *arguments)


def test_wrong_calls_are_said():
    with pytest.raises(ValueError, match="step counts calls of backward from 1, got 0"):
        torch.explain(lambda x: x, leaf(1.0), step=0)
    with pytest.raises(TypeError, match="inputs and step= go with a function"):
        torch.explain(leaf(1.0), leaf(1.0))
    freed = leaf(1.0) ** 2
    freed.backward()
    with pytest.raises(RuntimeError, match="backward\\(\\) has freed the graph of this tensor"):
        torch.explain(freed)


# Nothing is changed, nothing is left


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_where_the_function_raises(error):
    def fails(x):
        (x * 2).sum().backward()
        raise error("mine")

    with pytest.raises(error, match="mine"):
        torch.explain(fails, leaf(1.0))


def test_an_error_on_the_way_back_comes_through():
    def changed(x):
        y = x * 2
        z = (y * y).sum()
        y.add_(1)
        return z

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.explain(changed, leaf(1.0))


def test_inside_no_grad_and_inside_another_explain():
    inner = []

    def function(x):
        inner.append(torch.explain(x * 5))
        return (x * 2).sum()

    with torch.no_grad():
        outer = torch.explain(function, leaf(1.0, 2.0))
        assert not torch.is_grad_enabled()
    assert ops(outer) == ["mul", "sum"]
    assert ops(inner[0]) == ["mul"]


def test_under_anomaly_detection_both_see_everything():
    def function(x):
        with torch.autograd.detect_anomaly():
            (x * 2).sum().backward()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explanation = torch.explain(function, leaf(1.0))
        with torch.autograd.detect_anomaly():
            around = torch.explain(lambda x: (x * 2).sum(), leaf(1.0))
    assert all(node.source is not None for node in explanation.nodes if node.op)
    assert ops(around) == ["mul", "sum"]


def test_a_compiled_function_is_seen_operation_by_operation():
    explanation = torch.explain(torch.compile(lambda x: (x * 2).exp().sum()), leaf(1.0, 2.0))
    assert ops(explanation) == ["mul", "exp", "sum"]


def test_operations_of_another_thread_are_known_by_their_records():
    found = []

    def function(x):
        thread = threading.Thread(target=lambda: found.append(x * 3))
        thread.start()
        thread.join()
        return found[0] * 2

    explanation = torch.explain(function, leaf(1.0))
    there, here = [node for node in explanation.nodes if node.op]
    assert (there.source, here.source is None) == (None, False)
    np.testing.assert_array_equal(there.value, [3.0])


# Kinds of tensors


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: x.sum() * 0,
        lambda x: x[:0].sum(),
        lambda x: x[:0] * 2,
        lambda x: x.double() * 2,
        lambda x: torch.where(x > 0, x, x * torch.inf),
        lambda x: (x[torch.tensor([0, 0, 1])] * torch.tensor([1, 2, 3])).sum(),
        lambda x: torch.cat([x, x * 2, x]).cumsum(0).prod(),
        lambda x: torch.var_mean(x)[0] + x.split(1)[0],
        lambda x: x.chunk(1)[0] * 2 + x.flip(0),
        lambda x: x.std() + x.norm(),
        lambda x: x.clone().fill_(3.0) + x,
        lambda x: torch.dropout(x, 0.0, False) if hasattr(torch, "dropout") else x * 1,
    ],
)
def test_kinds_of_results(function):
    explanation = torch.explain(function, leaf(1.0, -2.0))
    assert explanation.text()
    assert explanation.dot().startswith("digraph")
    check_if_any(explanation.to_json())
    assert not any("checked" in note or "PyTorch" in note for note in explanation.notes)
    for node in explanation.nodes:
        if node.gradient is not None and np.isfinite(node.gradient.array).all():
            assert node.gradient.pytorch.ok
            assert node.gradient.differences.ok


def check_if_any(data):
    if "forward" in {step["phase"] for step in data["steps"]}:
        check(data)


def test_a_long_chain_shows_its_end_and_says_so(monkeypatch):
    monkeypatch.setattr(building, "MOST_NODES", 20)

    def chain(x):
        for _ in range(100):
            x = x * factor
        return x

    factor = leaf(1.001)
    explanation = torch.explain(chain, leaf(1.0))
    assert len(ops(explanation)) == 20
    assert explanation.notes[0] == "Only the last 20 of 100 operations are shown."
    assert named(explanation, "factor").gradient is not None
    begun = explanation.nodes[1]
    assert (begun.kind, begun.is_leaf, begun.value is None) == ("input", False, False)
    np.testing.assert_array_equal(
        begun.gradient.array, explanation.steps[-2].contributions[0].array
    )


def test_thousands_of_operations_need_no_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(3_000):
        y = y + x
    assert "of 3,000 operations" in torch.explain(y).notes[0]


def test_a_hook_that_changes_a_gradient_is_told():
    def function(x):
        h = x * 2
        h.register_hook(lambda g: g * 10)
        return h.sum()

    explanation = torch.explain(function, leaf(1.0))
    assert "A hook changed the gradient of h." in explanation.notes
    assert explanation.steps[-1].array.tolist() == [20.0]
    x = leaf(1.0)
    x.register_hook(lambda g: g * 3)
    for number in (1, 2):
        again = torch.explain(lambda: (x * 2).sum().backward())
        assert "A hook changed the gradient of x." in again.notes
        assert named(again, "x").gradient.array.tolist() == [6.0]
        assert again.steps[-1].array.tolist() == [6.0 * number]


def test_hostile_names_do_no_harm(tmp_path):
    hostile = '</script><img src=x onerror="alert(1)">\x1b[31m'
    model = nn.ModuleDict({"a": nn.Linear(1, 1)})
    model._modules[hostile] = nn.Linear(1, 1)
    explanation = torch.explain(lambda x: model[hostile](x).sum(), torch.ones(1, 1))
    explanation.found.title = hostile
    explanation.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert 'srcdoc="' in explanation._repr_html_()
    assert "<img" not in explanation._repr_html_()
    assert "\x1b" not in explanation.text()
    assert 'onerror=\\"alert' in explanation.dot()


def test_loops_inside_loops_and_rounds_of_modules():
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])

    def function(x):
        for i in range(2):
            for j in range(3):
                x = x * 2 + i * j
        for layer in model:
            x = layer(x)
        for _ in range(1):
            x = x * 3
        rounds = 0
        while rounds < 2:
            rounds += 1
            x = x + 1
        return x.sum()

    found = torch.explain(function, leaf(1.0, 1.0)).found.scopes
    names = {scope.id: scope.name for scope in found}
    outline = [(names.get(scope.parent), scope.name, scope.repeats) for scope in found]
    outer, inner = "for i in range(2)", "for j in range(3)"
    assert [each for each in outline if each[2]] == [
        (None, outer, 2), ("i = 0", inner, 3), ("i = 1", inner, 3), (None, "while rounds < 2", 2),
    ]  # fmt: skip
    assert [name for above, name, _ in outline if above == inner] == ["j = 0", "j = 1", "j = 2"] * 2
    assert [scope.type for scope in found if scope.kind == "module"] == ["Linear", "Linear"]


def test_words_for_a_terminal():
    told = torch.explain(lambda x: torch.relu(-x).sum(), leaf(1.0, 2.0)).text().splitlines()
    assert told[1:4] == ["  x: float32 2 = [1, 2]", "", "forward"]
    assert told[5].strip() == "−x = [-1, -2]"
    assert "  #2 ReluBackward0: g = [1, 1]" in told
    assert "      ∂L/∂x = g where out > 0, 0 elsewhere → #1: [0, 0]" in told
    assert "      lets go of out" in told
    assert "  x.grad = [0, 0]" in told
    why = told.index("why")
    assert "relu" in told[why + 2]


def test_graphviz_draws_modules_as_clusters():
    model = nn.Sequential(nn.Linear(2, 1))
    drawn = torch.explain(lambda x: model(x).sum(), torch.ones(1, 2)).dot()
    assert 'subgraph cluster_0 { label="model";' in drawn
    assert 'label="linear\\nfloat32 1×1"' in drawn
    assert drawn.count("->") == 4
    assert drawn.count("{") == drawn.count("}")


def test_what_is_changed_beside_the_graph_changes_nothing_in_it():
    buffer = torch.zeros(2)

    def function(x):
        h = x * 2
        buffer.fill_(3.0)
        g = h + 1
        buffer[0] = 1.0
        with torch.no_grad():
            buffer.copy_(g)
        y = g * 1
        y.detach().add_(1)
        buffer.normal_()
        return h.sum() + g.sum()

    explanation = torch.explain(function, leaf(1.0, 2.0))
    assert [node.op for node in explanation.nodes if node.in_place] == []


def test_what_is_changed_later_does_not_change_what_was_seen(monkeypatch):
    monkeypatch.setattr(watching, "_COPIED", 10)
    weights, images = leaf(1.0, 2.0), torch.tensor([3.0, 4.0])
    large = torch.ones(20)
    explanation = torch.explain(lambda: ((weights * images).sum() * large).exp().sum())
    before = explanation.to_json()["arrays"]
    with torch.no_grad():
        weights.fill_(0.0)
        images.fill_(0.0)
        large.fill_(0.0)
    assert explanation.to_json()["arrays"] == before
