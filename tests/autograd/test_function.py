"""Operations of one's own behave as PyTorch's: the same class, on both engines, gives one text."""

import gc
import weakref

import pytest
import torch
from torch.autograd.function import once_differentiable as their_once

import tinygrad_mnist
from tinygrad_mnist.autograd.function import once_differentiable as our_once

ENGINES = {"torch": (torch, their_once), "ours": (tinygrad_mnist, our_once)}


def outcome(program, engine):
    """What `program` returns on an engine, or the class of its error and the message's start."""
    try:
        return repr(program(*ENGINES[engine]))
    except Exception as error:
        return type(error).__name__, str(error).split(" instead")[0][:60]


def leaf(T, *numbers):
    return T.tensor(numbers, requires_grad=True)


def cube(T):
    class Cube(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    return Cube


def exp_with_setup(T):
    class Exp(T.autograd.Function):
        @staticmethod
        def forward(x):
            return x.exp()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    return Exp


def two_outputs(T):
    class Two(T.autograd.Function):
        @staticmethod
        def forward(ctx, a, k, b):
            ctx.k = k
            ctx.save_for_backward(a, b)
            positive = (a > 0).long()
            ctx.mark_non_differentiable(positive)
            return a * k + b, a * b, positive

        @staticmethod
        def backward(ctx, g, h, _):
            assert ctx.needs_input_grad == (True, False, True)
            a, b = ctx.saved_tensors
            return g * ctx.k + h * b, None, g + h * a

    return Two


def value_and_name(T, once):
    y = cube(T).apply(leaf(T, 1.0, 2.0))
    return y, y.grad_fn.name(), type(y.grad_fn).__name__, y.is_leaf


def third_order(T, once):
    x = leaf(T, 1.0, 2.0)
    (first,) = T.autograd.grad(cube(T).apply(x).sum(), x, create_graph=True)
    (second,) = T.autograd.grad(first.sum(), x, create_graph=True)
    return first, second, T.autograd.grad(second.sum(), x)


def saved_output_twice(T, once):
    x = leaf(T, 1.0, 2.0)
    (first,) = T.autograd.grad(exp_with_setup(T).apply(x).sum(), x, create_graph=True)
    return first, T.autograd.grad(first.sum(), x)


def several_outputs(T, once):
    x, b = leaf(T, 1.0, -2.0), leaf(T, 3.0, 4.0)
    u, v, positive = two_outputs(T).apply(x, 2.0, b)
    (u.sum() + (v * v).sum()).backward()
    return u, v, positive, positive.requires_grad, x.grad, b.grad


def one_output_unused(T, once):
    x, b = leaf(T, 1.0, -2.0), leaf(T, 3.0, 4.0)
    _, v, _ = two_outputs(T).apply(x, 2.0, b)
    v.sum().backward()
    return x.grad, b.grad


def without_gradient(T, once):
    return cube(T).apply(T.tensor([1.0, 2.0]))


def under_no_grad(T, once):
    with T.no_grad():
        return cube(T).apply(leaf(T, 2.0))


def backward_twice(T, once):
    y = cube(T).apply(leaf(T, 2.0)).sum()
    y.backward()
    y.backward()


def kept_for_two(T, once):
    x = leaf(T, 2.0)
    y = cube(T).apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def saved_changed_in_place(T, once):
    z = leaf(T, 1.0, 2.0) * 1
    y = cube(T).apply(z)
    z.add_(1)
    y.sum().backward()


def too_few_gradients(T, once):
    class Bad(T.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, g):
            return g

    Bad.apply(leaf(T, 1.0), leaf(T, 2.0)).backward(T.ones(1))


def wrong_shape(T, once):
    class Bad(T.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            return T.ones(7)

    Bad.apply(leaf(T, 1.0, 2.0)).sum().backward()


def no_materialised_zeros(T, once):
    seen = []

    class Two(T.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.set_materialize_grads(False)
            return a * 2, a * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append(h)
            return g * 2

    x = leaf(T, 1.0)
    Two.apply(x)[0].backward()
    return seen, x.grad


def returns_its_input(T, once):
    class Same(T.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a

        @staticmethod
        def backward(ctx, g):
            return g * 10

    x = leaf(T, 1.0)
    Same.apply(x).backward()
    return x.grad, x.is_leaf


def changes_its_input(T, once):
    class Double(T.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.mark_dirty(a)
            return a.mul_(2)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(T, 1.0)
    z = x * 3
    y = Double.apply(z)
    y.backward()
    return y.detach(), z.detach(), x.grad


def differentiated_twice(T, once):
    class Square(T.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a * a

        @staticmethod
        @once
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    x = leaf(T, 3.0)
    (slope,) = T.autograd.grad(Square.apply(x), x, create_graph=True)
    T.autograd.grad(slope, x)


def not_implemented(T, once):
    T.autograd.Function.apply(leaf(T, 1.0))


def saving_a_number(T, once):
    class Bad(T.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(3)
            return a * 1

    Bad.apply(leaf(T, 1.0))


def passing(T, forward, backward=lambda ctx, *gradients: gradients[0], **methods):
    """A Function of these methods."""
    methods |= {"forward": forward, "backward": backward}
    static = {name: staticmethod(method) for name, method in methods.items()}
    return type("Passing", (T.autograd.Function,), static)


def defaults_count_among_the_inputs(T, once):
    seen = []
    scaled = passing(
        T, lambda x, by=3.0: x * by, lambda ctx, g: (g * ctx.by, None),
        setup_context=lambda ctx, inputs, output: (
            seen.append((len(inputs), ctx.needs_input_grad)), setattr(ctx, "by", inputs[1])
        ),
    )  # fmt: skip
    x = leaf(T, 1.0)
    (scaled.apply(x) + scaled.apply(x, 4.0) + scaled.apply(x, by=5.0)).backward()
    return seen, x.grad


def outputs_that_are_no_tensors(T, once):
    seen = []
    several = passing(
        T, lambda ctx, x: (x * 2, 3, None, "a", x.long(), x * 3),
        lambda ctx, *gradients: seen.append(gradients) or gradients[0],
    )  # fmt: skip
    outputs = several.apply(leaf(T, 1.0, 2.0))
    outputs[0].sum().backward()
    return seen, [getattr(each, "output_nr", None) for each in outputs]


def outputs_without_gradients_need_no_zeros(T, once):
    def forward(ctx, x):
        outputs = x * 1, x * 2
        ctx.mark_non_differentiable(outputs[1])
        ctx._materialize_non_diff_grads = False
        return outputs

    seen = []
    several = passing(T, forward, lambda ctx, *gradients: seen.append(gradients) or gradients[0])
    several.apply(leaf(T, 1.0))[0].backward()
    return seen


def a_view_changed_inside(T, once):
    def forward(ctx, x):
        part = x.clone()[:2]
        part += 2
        return part

    part = passing(T, forward, lambda ctx, g: T.cat([g, g])).apply(leaf(T, 1.0, 2.0, 3.0, 4.0))
    part.sum().backward()
    return repr(part), part._is_view()


def a_view_changed_beside_another_output(T, once):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2), x * 2

    passing(T, forward).apply(leaf(T, 1.0, 2.0).clone()[:1])


def saved_tensors_are_themselves(T, once):
    def forward(ctx, x, y):
        out = x * y
        ctx.save_for_backward(x, y, out)
        return out

    seen = []

    def backward(ctx, g):
        seen.append([saved is given for saved, given in zip(ctx.saved_tensors, known, strict=True)])
        return g, g

    x = leaf(T, 1.0)
    known = x, x * 2
    out = passing(T, forward, backward).apply(*known)
    known += (out,)
    out.backward()
    return seen


def saved_and_detached_since(T, once):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    x = leaf(T, 1.0)
    y = x * 2
    out = passing(T, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(y)
    y.detach_()
    out.backward()
    return x.grad


def once_differentiable_is_an_end(T, once):
    square = passing(T, lambda ctx, x: x * x, once(lambda ctx, g: g * 2))
    x = leaf(T, 3.0)
    (slope,) = T.autograd.grad(square.apply(x) * x, x, create_graph=True)
    ends = [(node.name(), number) for node, number in slope.grad_fn.next_functions]
    try:
        slope.backward()
    except RuntimeError as error:
        return ends, str(error)


PROGRAMS = [
    defaults_count_among_the_inputs, outputs_that_are_no_tensors,
    outputs_without_gradients_need_no_zeros, a_view_changed_inside, saved_tensors_are_themselves,
    saved_and_detached_since, once_differentiable_is_an_end,
    value_and_name, third_order, saved_output_twice, several_outputs, one_output_unused,
    without_gradient, under_no_grad, backward_twice, kept_for_two, saved_changed_in_place,
    too_few_gradients, wrong_shape, no_materialised_zeros, returns_its_input, changes_its_input,
    differentiated_twice, not_implemented, saving_a_number,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_both_engines_agree(program):
    assert outcome(program, "ours") == outcome(program, "torch")


def test_a_view_is_not_changed_beside_another_output():
    for T, once in ENGINES.values():
        with pytest.raises(RuntimeError, match="modifies inplace an input that is a view"):
            a_view_changed_beside_another_output(T, once)


def test_subclasses_that_want_to_be_asked_are_refused():
    with pytest.raises(NotImplementedError, match=r"Asking.__torch_function__ is not"):
        type("Asking", (tinygrad_mnist.Tensor,), {"__torch_function__": None})


def test_an_error_in_backward_restores_the_mode():
    class Fails(tinygrad_mnist.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 1

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Fails.apply(leaf(tinygrad_mnist, 1.0)).backward()
    assert tinygrad_mnist.is_grad_enabled()


def test_no_cycle_holds_the_memory():
    gc.disable()
    try:
        x = leaf(tinygrad_mnist, 1.0, 2.0)
        y = exp_with_setup(tinygrad_mnist).apply(x)
        alive = weakref.ref(y)
        y.sum().backward()
        del y
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("engine", [tinygrad_mnist, torch])
def test_a_function_is_not_for_instances(engine):
    class Old(engine.autograd.Function):
        pass

    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        old = Old()
    with pytest.raises(RuntimeError, match="Legacy autograd function with non-static forward"):
        old(engine.ones(1))


HELD = {
    "nobody": (lambda g: (g, g), True),
    "its backward": (lambda g: (HOLDING.append(g), g)[1:] * 2, False),
    "a view": (lambda g: (HOLDING.append(g[:1]), g)[1:] * 2, False),
    "a view gone": (lambda g: (g.view(4)[:], g * 2), True),
    "an array": (lambda g: (HOLDING.append(g.numpy()), g)[1:] * 2, False),
    "two leaves": (lambda g: (g * 2,) * 2, True),
    "a constant": (lambda g: (CONSTANT, CONSTANT), False),
}
"""Who holds the gradients that a backward returns, and whether a leaf may take one over."""
HOLDING, CONSTANT = [], tinygrad_mnist.ones(4)


@pytest.mark.parametrize("holder", HELD)
@pytest.mark.parametrize("hook", ["none", "tensor", "before"])
def test_a_leaf_takes_over_memory_that_nobody_holds(holder, hook):
    backward, taken = HELD[holder]
    made = []

    class Both(tinygrad_mnist.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, g):
            found = backward(g)
            made.extend([each.data_ptr() for each in found])
            return found

    HOLDING.clear()
    a, b = (tinygrad_mnist.ones(4, requires_grad=True) for _ in range(2))
    for each in a, b:
        if hook == "tensor":
            each.register_hook(lambda g: CONSTANT)
        elif hook == "before":
            tinygrad_mnist.autograd.graph.get_gradient_edge(each).node.register_prehook(
                lambda g: (CONSTANT,)
            )
    (Both.apply(a, b) * 3).sum().backward()
    owned = [each.data_ptr() for each in (a.grad, b.grad)]
    held = [tinygrad_mnist.as_tensor(each).data_ptr() for each in (*HOLDING, CONSTANT)]
    assert len({*owned, *held}) == 2 + len(set(held))
    if hook == "none":  # else what was made is gone, and its place may be another's
        assert bool({*owned} & {*made}) is taken
