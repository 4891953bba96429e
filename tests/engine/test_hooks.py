"""Hooks on tensors: what they see, what they may return, their order, and their removal."""

import pytest

import tinygrad_mnist as torch
from tests._tensor.both_engines import agree, lines

SHORT = {
    "LEARN": "(a * 3).backward()",
    "AGAIN": "torch.autograd.grad(a * a, a, create_graph=True)",
    "EDGE(a)": "torch.autograd.graph.get_gradient_edge(a).node",
    "POST": "a.register_post_accumulate_grad_hook(lambda p: p.grad.add_(0.5))",
    "Z": "z.backward()\nseen",
    "LEAVES": "[torch.tensor(i + 2.0, requires_grad=True) for i in range(4)]",
    "TELL": "[t.register_hook(lambda g, n=n: seen.append(n)) for n, t in "
    "dict(a=a, b=b, c=c, d=d, e=e, y=y, z=z).items() if t.requires_grad]",
}
LEAF = "a = torch.tensor(2.0, requires_grad=True)\nseen = []\n"

HOOKS = lines("""
    a.register_hook(lambda g: g * 2) ; (a * 3).backward() ; a.grad
    a.register_hook(lambda g: None) ; (a * 3).backward() ; a.grad
    h = a.register_hook(lambda g: g * 2) ; h.remove() ; (a * 3).backward() ; a.grad
    h = a.register_hook(lambda g: g * 2) ; h.remove() ; h.remove() ; (a * 3).backward() ; a.grad
    a.register_hook(lambda g: g * 2) ; a.register_hook(lambda g: g + 1) ; LEARN ; a.grad
    [a.register_hook(lambda g, i=i: seen.append(i)) for i in range(3)] ; a.backward() ; seen
    y = a * 2 ; y.register_hook(lambda g: g * 10) ; (y * 3).backward() ; a.grad
    y = a * 2 ; y.register_hook(lambda g: seen.append(g)) ; (y * y).backward() ; seen
    y = a * 2 ; y.register_hook(lambda g: g * 10) ; y.retain_grad() ; y.backward() ; a.grad, y.grad
    y = a * 2 ; y.retain_grad() ; y.register_hook(lambda g: g * 10) ; y.backward() ; a.grad, y.grad
    a.register_hook(lambda g: seen.append(g.requires_grad)) ; LEARN ; seen
    a.register_hook(lambda g: seen.append(torch.is_grad_enabled())) ; LEARN ; seen
    a.register_hook(lambda g: seen.append(g.requires_grad)) ; AGAIN ; seen
    a.register_hook(lambda g: g * 2) ; torch.autograd.grad(a * 3, a)
    y = a * 2 ; y.register_hook(lambda g: g * 2) ; torch.autograd.grad(y * 3, y)
    y = a * 2 ; y.register_hook(lambda g: g * 2) ; torch.autograd.grad(y * 3, a)
    y = a * 2 ; y.register_hook(lambda g: g * 2) ; y *= 5 ; y.backward() ; a.grad
    a.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone())) ; LEARN ; seen
    a.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.zero_())) ; LEARN ; a.grad
    a.register_hook(lambda g: 1 / 0) ; (a * 3).backward()
    a.register_hook(lambda g: g.double()) ; (a * 3).backward()
    a.register_post_accumulate_grad_hook(lambda p: 3) ; (a * 3).backward()
    y = a * 2 ; y.register_hook(lambda g: g * 10) ; torch.autograd.grad(y * 1, [y, a])
    y = a * 2 ; y.register_hook(lambda g: g * 10) ; torch.autograd.grad(y * 1, [y])
    y = a * a ; y.grad_fn.register_hook(lambda i, o: (i[0] * 2, None)) ; y.backward() ; a.grad
    y = a * a ; y.grad_fn.register_hook(lambda i, o: (i[0],)) ; y.backward() ; a.grad
    y = a * a ; y.grad_fn.register_hook(lambda i, o: seen.append((i, o))) ; y.backward() ; seen
    y = a * a ; y.grad_fn.register_prehook(lambda o: (o[0] * 2,)) ; y.backward() ; a.grad
    y = a * 2 ; y.grad_fn.next_functions[0][0].register_prehook(lambda o: o * 2) ; LEARN ; a.grad
    y = a * a ; y.grad_fn.metadata["k"] = 1 ; y.grad_fn.metadata, y.grad_fn._saved_self
    y = a * a ; y.backward() ; y.grad_fn._saved_self
    y = a.sqrt() ; y.grad_fn._saved_result, y.grad_fn.next_functions[0][0].name()
    y = a * 2 ; y.register_hook(lambda g: torch.ones(3)) ; (y * 3).backward()
    y = a * 2 ; y.register_hook(lambda g: 3) ; (y * 3).backward()
    torch.tensor(2.0).register_hook(lambda g: g)
    (a * 2).register_post_accumulate_grad_hook(lambda p: 0)
    torch.tensor(2.0).register_post_accumulate_grad_hook(lambda p: 0)
    a.requires_grad_(False).requires_grad_().register_hook(lambda g: g * 2) ; a.backward() ; a.grad
""")


HOOKS += lines("""
    a.register_post_accumulate_grad_hook(lambda p: p) ; LEARN ; a.grad
    a.register_post_accumulate_grad_hook(lambda p: p.grad) ; LEARN
    a.register_post_accumulate_grad_hook(lambda p: torch.ones(3)) ; LEARN
    y = a * a ; y.grad_fn(torch.tensor(3.0)), y.grad_fn(None)
    (a * a).grad_fn()
    (a * a).grad_fn(a, a)
    (a * a).grad_fn(3)
    y = a * 2 ; y.grad_fn.next_functions[0][0](torch.tensor(3.0)), a.grad
    b, c, d, e = LEAVES ; y = (a * b).exp() * c + d ; z = y * e * a ; TELL ; z.backward() ; seen
    b, c, d, e = LEAVES ; z = (a * b + c * d) / e ; y = z * b ; TELL ; torch.autograd.grad(z, e)
    b, c, d, e = LEAVES ; z = (a * b + c * d) / e ; y = z * b ; TELL ; y.backward() ; seen
    f = lambda _, o: a.data.copy_(o[0] * 10) ; EDGE(a).register_hook(f) ; POST ; LEARN ; a
    n = EDGE(a) ; n.register_prehook(lambda g: (g[0] / 5,)) ; POST ; (a * a).backward() ; a.grad
    b, c, d, e = LEAVES ; y = a * c ; z = (y * d * y.sum()).sum() ; TELL ; Z
    b, c, d, e = LEAVES ; y = z = a * 1 ; TELL ; (z * b / c).backward(inputs=[c, a]) ; seen
""")
PARTS = """
x = torch.arange(6.0).reshape(3, 2).requires_grad_()
seen = []
GRAD = torch.autograd.grad
"""
SEVERAL = ("x.split(1)", "x.split([1, 2])", "x.chunk(2)", "x.unbind(1)", "tuple(x)",
           "x.tensor_split(2)", "torch.var_mean(x)", "torch.std_mean(x, 0)",
           "torch.aminmax(x, dim=0)")  # fmt: skip
OUTPUTS = lines("""
    [p.output_nr for p in parts], [p.grad_fn is parts[0].grad_fn for p in parts]
    [(f.name(), n) for f, n in (parts[-1] * x.sum()).grad_fn.next_functions]
    parts[0].grad_fn.register_prehook(seen.append) ; parts[1].sum().backward() ; seen
    parts[0].grad_fn.register_prehook(seen.append) ; sum(p.sum() for p in parts).backward() ; seen
    [p.register_hook(seen.append) for p in parts] ; GRAD(parts[1].sum(), x) ; sorted(map(str, seen))
    parts[0].register_hook(lambda g: g * 2) ; sum(p.sum() for p in parts).backward() ; x.grad
    parts[0].register_hook(lambda g: x) ; parts[1].sum().backward()
    parts[1].retain_grad() ; (parts[0].sum() + parts[1].sum()).backward() ; parts[1].grad, x.grad
    torch.autograd.grad(sum((p * p).sum() for p in parts), [parts[0], x])
    y = (parts[0] ** 3).sum() ; g = GRAD(y, x, create_graph=True)[0].sum() ; GRAD(g, x)
""")


@pytest.mark.parametrize("parts", SEVERAL)
def test_outputs_of_one_operation_share_its_record(parts):
    for source in OUTPUTS:
        agree(f"{PARTS}parts = {parts}\n{source}")


def test_backward_inside_backward_goes_deeper_than_a_thread_allows():
    class Again(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, times):
            ctx.times = times
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            if ctx.times == 0:
                assert not torch.is_grad_enabled()
                return gradient, None
            inner = torch.ones(1, requires_grad=True)
            with torch.enable_grad():
                Again.apply(inner, ctx.times - 1).backward(gradient)
            return inner.grad * 2, None

    x = torch.ones(1, requires_grad=True)
    Again.apply(x, 100).backward()
    assert x.grad.item() == 2.0**100
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Again.apply(x, 50).backward()


@pytest.mark.parametrize("source", HOOKS)
def test_hooks(source):
    for short, full in SHORT.items():
        source = source.replace(short, full)
    agree(LEAF + source)


EDGES = lines("""
    y = x * 2 ; e = EDGE(y) ; e.node.name(), e.output_nr, GRAD((y * 3).sum(), (x, e, EDGE(x)))
    v, m = torch.var_mean(x * x) ; e = EDGE(m) ; GRAD(v + m * 3, e)
    v, m = torch.var_mean(x * x) ; GRAD(EDGE(m), x, torch.tensor(2.0))
    GRAD(EDGE((x * x).sum()), x)
    GRAD(EDGE(x * x), x)
    GRAD(x.sum(), EDGE(x * 1), allow_unused=True, materialize_grads=True)
    (x * x).sum().backward(inputs=EDGE(x)) ; x.grad
    EDGE(torch.ones(1))
    isinstance(x.sum().grad_fn, GRAPH.Node), isinstance(x, GRAPH.Node)
    GRAPH.register_multi_grad_hook((x, z), seen.append) ; (x * z).sum().backward() ; seen
    GRAPH.register_multi_grad_hook((x, z), seen.append) ; (x * x).sum().backward() ; seen
    y = x * 1 ; GRAPH.register_multi_grad_hook((y, z), seen.append) ; GRAD((y * z).sum(), y) ; seen
    GRAPH.register_multi_grad_hook((x, z), seen.append).remove() ; x.sum().backward() ; seen
    GRAPH.register_multi_grad_hook((x, z), seen.append, mode="any") ; x.sum().backward() ; seen
    GRAPH.register_multi_grad_hook((x, z), seen.append, mode="some")
    x.register_hook(lambda g: QUEUE(lambda: seen.append(x.grad))) ; x.sum().backward() ; seen
    QUEUE(print)
""")


@pytest.mark.parametrize("source", EDGES)
def test_edges_and_hooks_on_several_tensors(source):
    agree(
        PARTS + "z = torch.ones(3, 2, requires_grad=True)\nGRAPH = torch.autograd.graph\n"
        "EDGE = GRAPH.get_gradient_edge\n"
        "QUEUE = torch.autograd.Variable._execution_engine.queue_callback\n" + source
    )


def test_a_handle_is_a_context_manager():
    a = torch.tensor(2.0, requires_grad=True)
    with a.register_hook(lambda g: g * 2):
        (a * 3).backward()
    (a * 3).backward()
    assert a.grad.item() == 6 + 3


def test_hooks_run_in_the_mode_of_the_walk_and_an_error_puts_everything_back():
    a = torch.tensor(2.0, requires_grad=True)
    b = torch.tensor(3.0, requires_grad=True)
    y = a * b
    handle = y.register_hook(lambda g: 1 / 0)
    for mode in (torch.enable_grad, torch.no_grad):
        with mode():
            before = torch.is_grad_enabled()
            with pytest.raises(ZeroDivisionError):
                y.backward(retain_graph=True)
            assert torch.is_grad_enabled() == before
    handle.remove()
    assert (a.grad, b.grad) == (None, None)
    y.backward()
    assert (a.grad.item(), b.grad.item()) == (3, 2)


def test_a_hook_may_change_what_it_sees_without_harm_to_others():
    a = torch.tensor([2.0, 3.0], requires_grad=True)
    b = torch.tensor([2.0, 3.0], requires_grad=True)
    y = a + b
    kept = []
    y.register_hook(kept.append)
    y.sum().backward()
    a.grad.zero_()
    assert kept[0].tolist() == [1, 1]
    assert b.grad.tolist() == [1, 1]


def test_hooks_may_be_removed_by_hooks():
    a = torch.tensor(2.0, requires_grad=True)
    handles = []
    calls = []
    handles.append(a.register_hook(lambda g: handles[1].remove()))
    handles.append(a.register_hook(lambda g: calls.append(1)))
    a.backward()
    a.backward()
    assert len(calls) <= 1
