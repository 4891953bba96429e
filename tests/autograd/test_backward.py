"""`backward` and `autograd.grad`: what arrives where, what is kept, and what is refused."""

import pytest

import tinygrad_mnist as torch
from tests._tensor.both_engines import agree, lines
from tinygrad_mnist.engine.observer import observe

LEAVES = """
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = torch.tensor([3.0, 4.0], requires_grad=True)
c = torch.tensor(2.0, requires_grad=True)
"""

GRADIENTS = lines("""
    (a + a).sum().backward() ; a.grad
    (a * a * a).sum().backward() ; a.grad
    d = c * c ; (d + d * c).backward() ; c.grad
    a.sum().backward() ; a.sum().backward() ; a.grad
    a[:1].backward() ; c.backward() ; a.grad, c.grad
    (a * 2).backward(torch.ones(2)) ; a.grad
    (a * 2).backward(gradient=torch.arange(2.0)) ; a.grad
    (a * 2).sum(0, keepdim=True).backward() ; a.grad
    (a * 2).sum().backward(torch.tensor(3.0)) ; a.grad
    (a * 2).backward(torch.ones(2, dtype=torch.int64)) ; a.grad
    (a * 2).backward(torch.ones(2).double()) ; a.grad
    e = torch.ones(0, requires_grad=True) ; e.sum().backward() ; e.grad
    e = torch.ones(2, 0, requires_grad=True) ; (e * 2).sum().backward() ; e.grad
    c.double().backward() ; c.grad
    (c.double() * c).backward() ; c.grad
    torch.autograd.backward([c * 2, c * 3]) ; c.grad
    torch.autograd.backward((c * 2,), (torch.tensor(5.0),)) ; c.grad
    torch.autograd.backward([c * 2, c], [torch.tensor(1.0), None]) ; c.grad
    y = c * c ; (y * 3).backward(inputs=[y]) ; y.grad, c.grad
    y = c * c ; (y * 3).backward(inputs=[y, c]) ; y.grad, c.grad
    (c * a).sum().backward(inputs=a) ; a.grad, c.grad
    s = (a + a).sum() ; s.backward() ; s.backward() ; a.grad
    s = (a * a).sum() ; s.backward(retain_graph=True) ; s.backward() ; a.grad
    (a.detach() * a).sum().backward() ; a.grad
    y = a * 2 ; y.retain_grad() ; (y * y).sum().backward() ; y.grad, a.grad
    a.retain_grad() ; a.retains_grad
    y = a * 1 ; y.retain_grad() ; [(y * 3).sum().backward(retain_graph=True) for _ in "ab"] ; y.grad
    y = (a * 2).sum() ; a.requires_grad_(False) ; y.backward() ; a.grad
    y = (a * 2).sum() ; a.requires_grad_(False).requires_grad_() ; y.backward() ; a.grad
    (a**3).sum().backward(create_graph=True) ; g = a.grad ; a.sum().backward() ; g is a.grad, g
    g, = torch.autograd.grad(a.relu().sum(), a, create_graph=True) ; g
    y = a * b ; y.sum().backward(inputs=[y]) ; y.retains_grad, y.grad, a.grad
""")

GRAD = lines("""
    torch.autograd.grad((a * a).sum(), a)
    torch.autograd.grad((a * a).sum(), (a,))
    torch.autograd.grad((a * a).sum(), [a, a])
    torch.autograd.grad((a * a).sum(), a) ; a.grad
    torch.autograd.grad((a * a).sum(), [a, b], allow_unused=True)
    torch.autograd.grad((a * a).sum(), [a, b], materialize_grads=True)
    torch.autograd.grad((a * a).sum(), [a, b], materialize_grads=True, allow_unused=False)
    torch.autograd.grad(a * 2, a, torch.ones(2))
    torch.autograd.grad(a * 2, a, grad_outputs=torch.arange(2.0))
    torch.autograd.grad([a * 2, a.sum()], a, [torch.ones(2), None])
    torch.autograd.grad([a * 2, a.sum()], a, [torch.ones(2)])
    torch.autograd.grad((a * 2, b * a), (a, b), (torch.ones(2), torch.ones(2)))
    y = a * b ; torch.autograd.grad(y.sum(), y)
    y = a * b ; torch.autograd.grad((y * a).sum(), [y, a])
    y = (a * b).sum() ; torch.autograd.grad(y, y)
    y = (a * b).sum() ; torch.autograd.grad(y, [y, a])
    y = a * b ; z = y[0] ; torch.autograd.grad(z * 3, [z, y, a])
    s = (a * b).sum() ; torch.autograd.grad(s, a, retain_graph=True), torch.autograd.grad(s, b)
    d = torch.ones(2) ; torch.autograd.grad((a * d).sum(), d)
    d = torch.ones(2) ; torch.autograd.grad((a * d).sum(), d, allow_unused=True)
    torch.autograd.grad(a * 2, a)
    torch.autograd.grad(torch.ones(2).sum(), a)
    g, = torch.autograd.grad((a**3).sum(), a, create_graph=True) ; torch.autograd.grad(g.sum(), a)
    g, = torch.autograd.grad((a * b).sum(), a, create_graph=True) ; g
    g, = torch.autograd.grad((a * b).sum(), a, create_graph=True) ; torch.autograd.grad(g.sum(), b)
    g, = torch.autograd.grad((a * 2).sum(), a, create_graph=True) ; g
""")

REFUSED = lines("""
    (a * 2).backward()
    (a * 2).backward(torch.ones(3))
    (a * 2).sum().backward(torch.ones(1))
    torch.ones(2).sum().backward()
    s = (a * b).sum() ; s.backward() ; s.backward()
    s = a.exp().sum() ; s.backward() ; s.backward()
    s = (a * b).sum() ; torch.autograd.grad(s, a) ; torch.autograd.grad(s, a)
    (a * b).sum().backward(inputs=[])
    torch.autograd.backward([a.sum(), b.sum()], [torch.tensor(1.0)])
    a.detach().retain_grad()
    y = a * b ; a.data.zero_() ; a.detach().zero_() ; y.backward(torch.ones(2), inputs=[y])
    y = a * b ; a.detach().zero_() ; torch.autograd.grad(y, a, torch.ones(2))
    s = (a * 2).sum() ; s.backward() ; s.backward()
    s = a[[0, 1]].sum() ; s.backward() ; s.backward()
    torch.autograd.grad(a.sum(), [])
    torch.autograd.grad(a.sum(), [3])
    torch.autograd.grad(a.sum(), [a, b])
    torch.autograd.grad(3, a)
    a.backward(3)
    a.sum().backward(inputs=[torch.ones(2)])
    a.grad = torch.ones(3)
    a.grad = torch.ones(2, dtype=torch.float64)
    a.grad = torch.ones(3, dtype=torch.int64)
    a.grad = 3
    a.grad = a
    torch.tensor(2).requires_grad_()
    a.requires_grad = "yes"
    a.requires_grad = 1
    y = a * 2 ; y.requires_grad_(False)
    y = a * 2 ; y.requires_grad = False
    y = a * 2 ; y.requires_grad = True
    torch.tensor(2, requires_grad=True)
    torch.ones(2, dtype=torch.int64, requires_grad=True)
    a.data = torch.ones(2, dtype=torch.int64)
    a.data = 3
    a.numpy()
    np.asarray(a)
    float(a.sum()) ; a.sum().numpy()
""")


@pytest.mark.parametrize("source", GRADIENTS)
def test_gradients_that_arrive(source):
    agree(LEAVES + source)


@pytest.mark.parametrize("source", GRAD)
def test_gradients_that_are_returned(source):
    agree(LEAVES + source)


@pytest.mark.parametrize("source", REFUSED)
def test_refusals(source):
    last = source if source.splitlines()[-1].count(" = ") == 0 else f"{source}\nNone"
    agree(LEAVES + last)


TENSORS = lines("""
    a.is_leaf, (a * 2).is_leaf, torch.tensor(1).is_leaf, (a * 2).detach().is_leaf, a.grad_fn
    y = a * 2 ; type(y.grad_fn).__name__, y.grad_fn.name(), len(y.grad_fn.next_functions)
    y = a * 2 ; y.grad_fn.next_functions[0][0].variable is a, y.grad_fn.next_functions[1]
    y = a.exp() ; y.grad_fn is y.grad_fn, y.output_nr, len(y.grad_fn.next_functions)
    a.grad = torch.ones(2) ; (a * 2).sum().backward() ; a.grad
    g = torch.ones(2) ; a.grad = g ; a.grad is g
    g = torch.ones(2) ; a.grad = g ; (a * 2).sum().backward() ; g
    a.sum().backward() ; g = a.grad ; a.sum().backward() ; g is a.grad, g
    a.sum().backward() ; a.grad = None ; a.grad
    a.sum().backward() ; del a.grad ; a.grad
    a.sum().backward() ; a.requires_grad_(False) ; a.grad, a
    a.sum().backward() ; a.requires_grad_(False).requires_grad_() ; a.sum().backward() ; a.grad
    a.sum().backward() ; a.requires_grad = False ; a.requires_grad, a.grad
    c = torch.ones(2) ; c.grad = torch.tensor([1.0, 2.0]) ; c.grad
    c = torch.ones(2) ; c.grad, c.requires_grad, c.retains_grad
    a.data = torch.ones(3) ; a.sum().backward() ; a, a.grad
    a.data = torch.ones(2).double() ; a
    c = torch.ones(2) ; c.data = torch.ones(3, dtype=torch.int64) ; c
    y = a * 2 ; y.data, y.detach()
    y = (a > 1), a.argmax() ; y
    y = torch.tensor(2) * a ; y
    a.sum().backward() ; a.grad.zero_() ; a.grad
    a.sum().item(), a.tolist(), bool(a.sum() > 1), a.numpy(force=True)
    sum(a), max(a), [row for row in a]
""")


@pytest.mark.parametrize("source", TENSORS)
def test_leaves_and_records(source):
    agree(LEAVES + source)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_derivatives(order):
    agree(
        f"""
        x = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
        y = (x**4 * x.exp()).sum()
        for _ in range({order}):
            y = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
        y.detach()
    """,
        digits=12,
    )


def test_a_gradient_for_a_gradient_gathers_in_the_leaf():
    agree("""
        x = torch.tensor(2.0, requires_grad=True)
        g, = torch.autograd.grad(x * x * x, x, create_graph=True)
        g.backward()
        x.grad
    """)
    agree("""
        x = torch.tensor(2.0, requires_grad=True)
        v = torch.tensor(3.0, requires_grad=True)
        g, = torch.autograd.grad(x * x, x, grad_outputs=v, create_graph=True)
        g.detach(), torch.autograd.grad(g, [x, v])
    """)


def test_backward_with_create_graph_warns_of_a_cycle():
    x = torch.tensor(2.0, requires_grad=True)
    with pytest.warns(UserWarning, match="create_graph=True will create a reference cycle"):
        (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    x.grad.backward()
    assert x.grad.item() == 12 + 12


def test_no_gradient_shares_memory_with_another_or_with_what_was_given():
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    given = torch.ones(2)
    (a + b).backward(given)
    a.grad.zero_()
    assert b.grad.tolist() == [1, 1]
    assert given.tolist() == [1, 1]
    c = torch.ones(2, requires_grad=True)
    c.backward(given)
    given.zero_()
    assert c.grad.tolist() == [1, 1]
    y = (a * b).view(2)
    y.retain_grad()
    y.backward(torch.ones(2))
    y.grad.zero_()
    assert b.grad.tolist() == [2, 2]
    first, second = torch.autograd.grad((a + b).sum(), [a, b])
    first.zero_()
    assert second.tolist() == [1, 1]


def test_an_observer_changes_nothing():
    def second(x):
        (gradient,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        return gradient

    x = torch.tensor([0.0, 2.0], requires_grad=True)
    alone = second(x)
    with observe(lambda *call: None):
        observed = second(x)
    assert repr(observed) == repr(alone) == "tensor([ 0., 12.], grad_fn=<MulBackward0>)"


def test_only_inputs_stands_where_pytorch_has_it():
    x = torch.tensor(3.0, requires_grad=True)
    (slope,) = torch.autograd.grad(x * x, x, None, None, False, True, False)
    assert slope == 6
    with pytest.warns(FutureWarning, match="only_inputs argument is deprecated"):
        torch.autograd.grad(x * x, x, only_inputs=False)
