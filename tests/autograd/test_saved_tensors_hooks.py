"""Hooks that pack saved tensors, and calls that keep nothing: both engines do the same."""

import contextlib
import warnings

import pytest
import torch
import torch.utils.checkpoint

import tinygrad_mnist
import tinygrad_mnist.utils.checkpoint


def outcome(program, engine):
    """What `program` returns on an engine, or its error."""
    try:
        return repr(program(engine, engine.autograd.graph))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition('.')[0][:70]}"


def leaf(T):
    return T.tensor([0.5, -1.5, 2.0], requires_grad=True)


def counted(T, G, function):
    """The gradient by `function`, with how many tensors were packed and unpacked."""
    x, counts = leaf(T), [0, 0]

    def pack(tensor):
        counts[0] += 1
        return tensor * 2

    def unpack(packed):
        counts[1] += 1
        return packed / 2

    with G.saved_tensors_hooks(pack, unpack):
        y = function(x)
    y.sum().backward()
    return x.grad, counts


def second_order(T, G):
    x = leaf(T)
    with G.saved_tensors_hooks(lambda t: t * 2, lambda t: t / 2):
        y = (x * x * x).sum()
        (slope,) = T.autograd.grad(y, x, create_graph=True)
    return T.autograd.grad(slope.sum(), x)


def raw(T, G):
    x = leaf(T)
    y = x * x
    y.grad_fn._raw_saved_self.register_hooks(lambda t: t * 2, lambda t: t)
    kept = y.grad_fn._saved_self
    y.sum().backward()
    return kept, x.grad


def raw_twice(T, G):
    y = leaf(T).exp()
    for _ in range(2):
        y.grad_fn._raw_saved_result.register_hooks(lambda t: t, lambda t: t)


def raw_of_freed(T, G):
    y = leaf(T).exp()
    y.sum().backward()
    y.grad_fn._raw_saved_result.register_hooks(lambda t: t, lambda t: t)


def of_function(T, G):
    class Square(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x

    return counted(T, G, lambda x: Square.apply(x * 1))


def disabled(T, G):
    with G.disable_saved_tensors_hooks("not here"), G.saved_tensors_hooks(str, str):
        pass


def incremented(T, G):
    x = leaf(T)
    y = x.exp()
    G.increment_version(y)
    G.increment_version([y, y])
    return y._version, y.sum().backward()


def on_cpu(T, G):
    x = leaf(T)
    with G.save_on_cpu():
        y = (x * x).exp()
    y.sum().backward()
    return x.grad


def allowed(T, G, nested=False):
    x = leaf(T)
    with G.allow_mutation_on_saved_tensors():
        y = x.clone()
        z = (y**2).sum()
        y.sin_()
        z.backward()
        if nested:
            G.allow_mutation_on_saved_tensors().__enter__()
        late = (y**2).sum()
    return x.grad, late.backward()


PROGRAMS = {
    "changes allowed": allowed,
    "changes allowed twice": lambda T, G: allowed(T, G, nested=True),
    "product": lambda T, G: counted(T, G, lambda x: x * x),
    "composition": lambda T, G: counted(T, G, lambda x: (x.exp().sin() * x).tanh()),
    "in place": lambda T, G: counted(T, G, lambda x: (x * 1).pow_(2).mul_(x)),
    "matrix": lambda T, G: counted(T, G, lambda x: x @ (x.reshape(3, 1) * x)),
    "a Function": of_function,
    "second order": second_order,
    "raw": raw,
    "raw twice": raw_twice,
    "raw of freed": raw_of_freed,
    "changes its input": lambda T, G: (
        G.saved_tensors_hooks(lambda t: t.add_(1), str).__enter__() or leaf(T).exp()
    ),
    "no tensor": lambda T, G: (
        G.saved_tensors_hooks(str, str).__enter__() or leaf(T).exp().sum().backward()
    ),
    "disabled": disabled,
    "counted as changed": incremented,
    "kept on the CPU": on_cpu,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_hooks_agree(name):
    results = []
    for engine in (tinygrad_mnist, torch):
        with contextlib.ExitStack() as stack:
            results.append(outcome(PROGRAMS[name], engine))
            stack.callback(engine.autograd.graph.saved_tensors_hooks(id, id).__exit__)
            if name not in ("changes its input", "no tensor"):
                stack.pop_all()
    assert results[0] == results[1]


FORMULAS = {
    "product": lambda x: x * x,
    "exponential": lambda x: x.exp(),
    "matrices": lambda x: x.reshape(3, 1) @ x.reshape(1, 3),
    "several": lambda x: x * x.tanh() + x.sin(),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_tensor_unpacked_in_another_shape(name):
    for shape in (1,), (2,), (4,), (2, 2), (2, 3), (3, 4, 1):
        found = []
        for T in (tinygrad_mnist, torch):
            x = leaf(T)
            with T.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t.new_ones(shape)):  # noqa: B023
                y = FORMULAS[name](x)
            try:
                y.sum().backward()
                found.append(x.grad.tolist())
            except RuntimeError as error:
                found.append("with shape" in str(error) or T is torch)
        assert found[0] == found[1], (shape, found)


def test_what_was_computed_again_is_unpacked_once():
    class Twice(tinygrad_mnist.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            with pytest.raises(RuntimeError, match="already unpacked once"):
                ctx.saved_tensors  # noqa: B018
            return g * y, g * x

    def function(x):
        return Twice.apply(x.exp(), x.sin()) / x.tanh()

    x = leaf(tinygrad_mnist)
    WAYS["not reentrant"](tinygrad_mnist)(function, x).sum().backward()
    wanted = torch.func.grad(lambda x: (x.exp() * x.sin() / x.tanh()).sum())(leaf(torch))
    assert x.grad.tolist() == pytest.approx(wanted.tolist(), rel=1e-5)


def trained(T, wrap):
    """The loss and gradients of a network with dropout, some of whose parts are checkpointed."""
    T.manual_seed(0)
    first = T.nn.Sequential(T.nn.Linear(4, 8), T.nn.ReLU(), T.nn.Dropout(0.5))
    second = T.nn.Sequential(T.nn.Linear(8, 8), T.nn.Tanh(), T.nn.Dropout(0.5), T.nn.Linear(8, 1))
    x = T.linspace(-1, 1, 12).reshape(3, 4).requires_grad_()
    loss = wrap(second, wrap(first, x)).sum()
    loss.backward()
    found = [loss.item(), x.grad, *[each.grad for each in (*first.parameters(), second[0].weight)]]
    return [T.as_tensor(each).detach().numpy().tolist() for each in found], T.rand(2).tolist()


WAYS = {
    "reentrant": lambda T: lambda f, x: T.utils.checkpoint.checkpoint(f, x, use_reentrant=True),
    "not reentrant": lambda T: (
        lambda f, x: T.utils.checkpoint.checkpoint(f, x, use_reentrant=False)
    ),
    "nested": lambda T: (
        lambda f, x: T.utils.checkpoint.checkpoint(
            WAYS["not reentrant"](T), f, x, use_reentrant=False
        )
    ),
    "sequential": lambda T: (
        lambda f, x: T.utils.checkpoint.checkpoint_sequential(f, 2, x, use_reentrant=False)
    ),
    "on the CPU": lambda T: lambda f, x: _on_cpu(T, f, x),
}


def _on_cpu(T, f, x):
    with T.autograd.graph.save_on_cpu():
        return WAYS["not reentrant"](T)(f, x)


@pytest.mark.parametrize("way", WAYS)
def test_checkpointed_gradients_are_those_without(way):
    mine = trained(tinygrad_mnist, WAYS[way](tinygrad_mnist))
    assert mine == trained(tinygrad_mnist, lambda function, x: function(x))
    theirs = trained(torch, WAYS[way](torch))
    assert mine[1] == theirs[1]
    for a, b in zip(mine[0], theirs[0], strict=True):
        assert a == pytest.approx(b, abs=1e-6) if isinstance(a, float) else True


def test_a_checkpoint_keeps_no_intermediate_result():
    counts = [0]

    def slow(x):
        counts[0] += 1
        for _ in range(10):
            x = x.sin()
        return x

    packed, graph = [], tinygrad_mnist.autograd.graph
    with graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        x = tinygrad_mnist.ones(3, requires_grad=True)
        y = tinygrad_mnist.utils.checkpoint.checkpoint(slow, x, use_reentrant=False)
    assert len(packed) == 1  # its argument
    assert y.grad_fn._saved_self.shape == (3,)
    assert counts == [2]


def unsteady(T, later, **options):
    runs = [0]

    def function(x):
        runs[0] += 1
        return x.sin() if runs[0] == 1 else later(x)

    x = T.ones(1, requires_grad=True)
    y = T.utils.checkpoint.checkpoint(function, x, use_reentrant=False, **options)
    return y.sum().backward()


REFUSED = {
    "fewer": lambda T, G: unsteady(T, lambda x: x * 1),
    "more": lambda T, G: unsteady(T, lambda x: x.sin().sin(), early_stop=False),
    "another shape": lambda T, G: unsteady(T, lambda x: T.stack([x, x]).sin()),
    "another shape, unchecked": lambda T, G: unsteady(
        T, lambda x: T.cat([x, x]).sin(), determinism_check="none"
    ),
    "unknown check": lambda T, G: unsteady(T, lambda x: x, determinism_check="some"),
    "argument by name": lambda T, G: T.utils.checkpoint.checkpoint(
        T.add, T.ones(1), other=1, use_reentrant=True
    ),
    "grad through it": lambda T, G: T.autograd.grad(
        WAYS["reentrant"](T)(T.exp, (x := T.ones((), requires_grad=True))), x
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    assert outcome(REFUSED[name], tinygrad_mnist) == outcome(REFUSED[name], torch)


def test_a_variant_is_to_be_chosen():
    for engine in (tinygrad_mnist, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            engine.utils.checkpoint.checkpoint(engine.exp, engine.ones(1, requires_grad=True))
        assert "use_reentrant parameter should be" in str(caught[0].message)
