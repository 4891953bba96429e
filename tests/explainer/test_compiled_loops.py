"""Which operations of a pass a compiled step computes in which loop."""

import numpy as np

import tinygrad_mnist as torch
from tinygrad_mnist.explainer.compiled import add_loops, compiled_functions, is_compiled

F = torch.nn.functional


def logistic():
    torch.manual_seed(0)
    w = (torch.randn(5, 3) / 2).requires_grad_()
    b = torch.zeros(3, requires_grad=True)
    return w, b, torch.randn(4, 5), torch.tensor([0, 2, 1, 1])


def test_each_operation_of_a_loss_has_a_loop():
    w, b, x, y = logistic()
    loss = torch.compile(lambda x, y: F.cross_entropy(x @ w + b, y))
    explanation = torch.explain(lambda: loss(x, y))
    add_loops(explanation.found, loss, (x, y))
    loops = explanation.found.loops
    by_op = {node.op: loops[node.loop] for node in explanation.nodes if node.op}
    assert list(by_op) == ["mm", "add", "log_softmax", "nll_loss"]
    assert by_op["add"] is by_op["log_softmax"]
    assert by_op["add"].name == "loop 1: add, amax, sub, exp, sum, log, pick"
    assert "scalars.exp" in by_op["add"].source
    assert by_op["mm"].name == "call: mm"
    backward = [loop for loop in loops if loop.name.startswith("backward loop")]
    (derivative,) = [loop for loop in backward if "place" in loop.name]
    log_softmax = next(node for node in explanation.nodes if node.op == "log_softmax")
    assert log_softmax.id in derivative.nodes


def test_a_step_is_traced_and_what_it_changed_put_back():
    w, b, x, y = logistic()
    before = w.tolist(), b.tolist()

    @torch.compile
    def step(x, y):
        loss = (x @ w + b).log_softmax(1)[torch.arange(4), y].mean().neg()
        loss.backward()
        with torch.no_grad():
            w.sub_(w.grad * 0.1)
        return loss

    explanation = torch.explain(step, x, y)
    w.grad = b.grad = None
    w._array[...], b._array[...] = map(np.asarray, before)
    add_loops(explanation.found, step, (x, y))
    assert (w.tolist(), b.tolist()) == before
    assert w.grad is None
    assert is_compiled(step)
    assert step not in compiled_functions()
    assert all(node.loop is not None for node in explanation.nodes if node.op)
    nodes = {node.id: node.op for node in explanation.nodes}
    fused = [[nodes[each] for each in loop.nodes] for loop in explanation.found.loops]
    assert ["add", "log_softmax", "index", "mean"] in [ops[:4] for ops in fused]


def test_what_no_program_can_do_is_told():
    function = torch.compile(lambda x: x * float(x.sum()))
    x = torch.ones(2, requires_grad=True)
    explanation = torch.explain(lambda: function(x).sum())
    add_loops(explanation.found, function, (x,))
    assert explanation.found.loops == []
    assert "runs uncompiled" in explanation.notes[-1]
