"""Each example: its data is whole, its numbers are the engine's and PyTorch's."""

import functools

import numpy as np
import pytest

from tests.explainer.data import check
from tests.explainer.programs import EXAMPLES, explained, run

NEVER_RIGHT = {"nan"}


@functools.cache
def example(name):
    explanation = explained(name)
    explanation._checked = name == "loop"  # whose 1,000 gradients take a second to check
    return explanation, explanation.to_json()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_data_is_whole(name):
    check(example(name)[1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_agree_with_pytorch_and_with_central_differences(name):
    explanation, _ = example(name)
    checks = [
        (node.op or node.name, of, check)
        for node in explanation.nodes
        if node.gradient is not None
        for of, check in (("PyTorch", node.gradient.pytorch), ("", node.gradient.differences))
        if check is not None
    ]
    assert checks or name == "loop"
    assert [each for each in checks if not each[2].ok] == [] or name in NEVER_RIGHT


@pytest.mark.parametrize("name", EXAMPLES)
def test_contributions_add_up_to_each_gradient(name):
    explanation, _ = example(name)
    arrived = {}
    for step in explanation.steps:
        for part in step.contributions:
            known = arrived.get(part.to)
            arrived[part.to] = part.array if known is None else known + part.array
    for node in explanation.nodes:
        if node.gradient is not None and node.id in arrived:
            np.testing.assert_array_equal(arrived[node.id], node.gradient.array)


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"second_order"}))
def test_leaves_hold_what_they_hold_without_being_watched(name):
    explanation, _ = example(name)
    variables = run(name)
    model = variables.get("model")
    leaves = {f"model.{n}": p for n, p in model.named_parameters()} if hasattr(
        model, "named_parameters") else {}  # fmt: skip
    for step in explanation.steps:
        if step.phase == "accumulate":
            called = explanation.nodes[step.node].name
            leaf = leaves.get(called, variables.get(called))
            np.testing.assert_array_equal(leaf.grad.numpy(), step.array)


def test_every_operation_of_an_example_has_its_formulas_lines_and_value():
    for name in EXAMPLES:
        for node in example(name)[1]["nodes"]:
            if node["op"] is not None and node["grad_fn"] not in (
                "CubeBackward",
                "UnbindBackward0",
            ):
                assert node["formula"] is not None, (name, node)
                assert node["value"] is not None, (name, node)


def test_the_cnn_reads_as_its_modules():
    explanation, data = example("cnn")
    tops = [scope for scope in data["scopes"] if scope["parent"] in (None, 0)]
    assert [scope["name"] for scope in tops] == [
        "model", "conv1", "conv2", "conv3", "pool", "cross_entropy",
    ]  # fmt: skip
    loss = [explanation.nodes[at].op for at in tops[-1]["nodes"]]
    assert loss == ["log_softmax", "nll_loss"]


def test_a_recurrence_reads_as_a_loop():
    _, data = example("loop")
    loop, *inner = data["scopes"]
    assert (loop["kind"], loop["name"], loop["repeats"]) == ("loop", "for t in range(200)", 200)
    named = [scope["name"] for scope in inner if scope["kind"] == "iteration"]
    assert named == [f"t = {t}" for t in range(200)]


def test_what_is_used_twice_gets_two_contributions():
    explanation, _ = example("square")
    (a,) = [node for node in explanation.nodes if node.name == "a"]
    parts = [part for step in explanation.steps for part in step.contributions if part.to == a.id]
    assert [float(part.array) for part in parts] == [16.0, 48.0]


def test_what_was_broadcast_is_summed():
    explanation, _ = example("broadcast")
    summed = {
        explanation.nodes[part.to].name: (part.raw_shape, part.summed)
        for step in explanation.steps
        for part in step.contributions
        if part.summed
    }
    assert summed == {"row": ((2, 3), (0,)), "column": ((2, 3), (1,))}


def test_formulas_of_a_first_pass_are_operations_of_the_second():
    explanation, _ = example("second_order")
    ops = {node.id: node.op for node in explanation.nodes}
    under = [(node.op, ops.get(node.under)) for node in explanation.nodes if node.order == 2]
    assert ("cos", "sin") in under
    assert ("pow", "pow") in under


def test_changes_in_place_are_told():
    explanation, _ = example("in_place")
    changed = [(node.op, node.name) for node in explanation.nodes if node.in_place]
    assert changed == [("add", "h"), ("mul", None), ("index_put", "h"), ("relu", "h")]


def test_a_function_of_ones_own_tells_what_it_saved():
    explanation, _ = example("function")
    (cube,) = [node for node in explanation.nodes if node.op == "Cube"]
    assert [(saved.name, saved.node) for saved in cube.saves] == [("saved_tensors[0]", 0)]
    assert cube.says == "x³"


def test_why_a_gradient_is_not_a_number_is_told():
    explanation, _ = example("nan")
    assert [why.cause for why in explanation.found.why] == ["backward_not_finite"]


def test_the_page_of_the_logistic_step_is_small():
    explanation, _ = example("logistic")
    assert len(explanation.html().encode()) < 300_000
