"""A node shows what it saved by PyTorch's names, to programs that walk graphs as torchviz does."""

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin


def node_of(result):
    """The node of the first tensor in a result."""
    if isinstance(result, list | tuple):
        return next((node for node in map(node_of, result) if node is not None), None)
    return getattr(result, "grad_fn", None)


def saved(node):
    """What a node saved, by the names that it lists."""
    return {name: getattr(node, name) for name in dir(node) if name.startswith("_saved_")}


REMADE = ("_saved_weight",)  # prelu's: PyTorch keeps it in the shape of a channel


@pytest.mark.filterwarnings("ignore")
def test_saved_tensors_of_every_operation_are_those_of_pytorch():
    tried = 0
    for row in OPERATIONS:
        sample = row.sample("ordinary", 0)
        given = tuple(read(each) for each in sample.arguments)
        try:
            ours, theirs = [
                saved(node_of(row.call(e, row.name, *twin(e, given).arguments, **sample.options)))
                for e in (tinygrad_mnist, torch)
            ]
        except (RuntimeError, TypeError, ValueError, AttributeError):
            continue
        for name in ours.keys() & theirs.keys() - {*REMADE}:
            mine, other = ours[name], theirs[name]
            if isinstance(other, torch.Tensor) and other.numel():
                tried += 1
                close = np.testing.assert_allclose
                close(mine.detach().numpy(), other.detach().numpy(), 1e-3, err_msg=row.name)
                assert mine.requires_grad == other.requires_grad, (row.name, name)
    assert tried > 150


def walk(engine, root):
    """The nodes of a graph with what they saved, and its leaves, found as torchviz finds them."""
    nodes, leaves, waiting = [], [], [root.grad_fn]
    while waiting:
        node = waiting.pop(0)
        tensors = [each for each in saved(node).values() if engine.is_tensor(each)]
        tensors += node.saved_tensors if hasattr(node, "saved_tensors") else ()
        shapes = sorted(tuple(each.shape) for each in tensors)
        nodes.append((type(node).__name__, shapes, len(node.next_functions)))
        if hasattr(node, "variable"):
            leaves.append(tuple(node.variable.shape))
        waiting += [child for child, _ in node.next_functions if child is not None]
    return nodes, leaves


def network(engine, weight):
    class Cube(engine.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0] ** 2

    hidden = engine.tanh(engine.ones(4, 2) @ weight).exp()
    return (Cube.apply(hidden) * hidden).sigmoid().sum()


def test_a_walk_through_a_graph_finds_what_it_finds_in_pytorch():
    found = []
    for engine in (tinygrad_mnist, torch):
        weight = engine.ones(2, 3, requires_grad=True)
        found.append(walk(engine, network(engine, weight)))
    assert found[0] == found[1]


@pytest.mark.parametrize("source", ["x.exp()", "x * x", "x.gather(0, i)", "x[i]"])
def test_saved_tensors_are_gone_after_backward_while_numbers_stay(source):
    for engine in (tinygrad_mnist, torch):
        x, i = engine.ones(2, requires_grad=True), engine.tensor([0, 1])
        y = eval(source, {"x": x, "i": i})
        names = [name for name, each in saved(y.grad_fn).items() if not isinstance(each, int)]
        dim = getattr(y.grad_fn, "_saved_dim", None)
        y.sum().backward()
        assert getattr(y.grad_fn, "_saved_dim", None) == dim
        tensors = [name for name in names if name not in ("_saved_self_sym_sizes", "_saved_shape")]
        assert tensors
        for name in tensors:
            with pytest.raises(RuntimeError, match="already been freed"):
                getattr(y.grad_fn, name)
