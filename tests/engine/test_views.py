"""Changes in place that gradients must follow: of a tensor, through a view of it, of its memory."""

import pytest

from tests._tensor.both_engines import ENGINES, agree, lines, run

START = """
x = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64, requires_grad=True)
w = torch.tensor([5.0, 6.0], dtype=torch.float64, requires_grad=True)
y = x * 2
z = torch.zeros(4, dtype=torch.float64)
h = lambda tensor, seen: tensor.register_hook(seen.append)
F, GRAD = torch.nn.functional, lambda u: torch.autograd.grad(u, x, create_graph=True)
N, E = lambda f: torch.no_grad()(f)(), torch.autograd.graph.get_gradient_edge
"""

THROUGH_A_VIEW = lines("""
    v = y[:2] ; v.mul_(3) ; v.sum().backward() ; x.grad, y, v
    v = y[:2] ; v.mul_(3) ; y.sum().backward() ; x.grad, y, v
    y[:2] *= 3 ; (y * y).sum().backward() ; x.grad, y
    v = y.view(2, 2).t() ; v[0] *= w ; (y.view(2, 2) * v).sum().backward() ; x.grad, w.grad, y
    v = y.view(2, 2).diagonal() ; v.mul_(w) ; (y * y).sum().backward() ; x.grad, w.grad, y
    v = y.view(2, 2).t()[0] ; v.exp_() ; (y * v.sum()).sum().backward() ; x.grad
    v = z[:2] ; v.copy_(w) ; u = z[1:] ; (z.sum() + u.sum()).backward() ; w.grad, z, v, u
    z[:2] = w ; z[1:3] = w.clone() ; (z * z).sum().backward() ; w.grad, z
    v = y[:2] ; u = y[1:] ; v.mul_(2) ; u.mul_(3) ; y.sum().backward() ; x.grad, v, u
    v = y[:2] ; v[0] = 5 ; v[1:] = x[:1] ; y.sum().backward() ; x.grad, v, y
    v = y[:2] ; v.fill_(1) ; v.zero_() ; y.sum().backward() ; x.grad, y, v
    v = y[1:] ; y.mul_(2) ; v.add_(1) ; (v * v).sum().backward() ; x.grad, v, y
    v = y[:2] ; u = v.exp() ; v *= 2 ; (u.sum() + y.sum()).backward() ; x.grad
    v = y.view(2, 2) ; v.t_() ; (v * v[0]).sum().backward() ; v.tolist(), x.grad
    v = y[:2] ; v.uniform_() ; y.sum().backward() ; x.grad
    v = y[:2] ; v.retain_grad() ; v *= 2 ; (y * 3).sum().backward() ; v.grad, x.grad
    v = y[:2] ; v.retain_grad() ; y += 1 ; v.sum().backward() ; v.grad, v.retains_grad
    y.retain_grad() ; y[:2] *= 2 ; (y * 3).sum().backward() ; y.grad, x.grad
    v = y[:2] ; s = [] ; v.register_hook(s.append) ; y += 1 ; v.sum().backward() ; s
    v = y[:] ; v.requires_grad, v.grad_fn.name() ; y.mul_(2) ; v.grad_fn.name(), y.grad_fn.name()
    v = y.view(2, 2) * 1 ; v.t_() ; v.grad_fn.name() ; v.unsqueeze_(0) ; v.grad_fn.name()
    v = y.view(1, 4) * 1 ; v.transpose_(0, 1) ; v.grad_fn.name() ; v.squeeze_() ; v.grad_fn.name()
    v = y.view(1, 4) * 1 ; v.squeeze_(0) ; v.grad_fn.name()
    v = z[:1].expand(3) ; v[[0, 0, 2]] = torch.tensor(2.0, dtype=torch.float64) ; z, v
    v = torch.add(x, x, alpha=2).sum() ; v.backward() ; v.backward() ; x.grad
    v = (y[:2] @ y.view(2, 2)) ; v._version, v.grad_fn.name()
    i = torch.tensor([0, 1]) ; v = x.gather(0, i) ; v.sum().backward() ; i[0] = 2 ; x.grad
    v = y.detach() ; v.mul_(3) ; y.sum().backward() ; x.grad, y, v
    y.grad = torch.ones_like(y) ; y += 1 ; y.grad
    v = y[:2] ; F.threshold_(v, 2.5, 0.0) ; y.sum().backward() ; x.grad, v
    v = y.view(4) ; F.threshold_(v, 3.0, 1.0) ; g, = GRAD((v**3 * y).sum()) ; GG
    v = y[:2] ; g, = torch.autograd.grad(v.pow_(3).sum() + y.sum(), x, create_graph=True) ; GG
""")

THROUGH_A_VIEW += lines("""
    v = y[:2] ; s = [] ; v.register_hook(s.append) ; v.mul_(3) ; y.sum().backward() ; s, x.grad
    v = y[:2] ; s = [] ; v.register_hook(s.append) ; v.mul_(3) ; v.sum().backward() ; s, x.grad
    v = y[:2] ; s = [] ; h(v, s) ; v += w ; h(v, s) ; v.sum().backward() ; s
    v = y[:2] ; s = [] ; h(v, s) ; y.mul_(3) ; h(v, s) ; v.sum().backward() ; s
    v = y[:2] ; s = [] ; y.mul_(3) ; v.grad_fn ; v.register_hook(s.append) ; v.sum().backward() ; s
    u = y * y ; y.detach_() ; u.sum().backward()
    u = y.exp() ; v = u * 2 ; u.detach_() ; v.sum().backward() ; x.grad
    x._grad = w
    x._grad = torch.ones_like(x) ; x.grad
    del x.grad ; x.grad
    del x.data
    del x.requires_grad
    del x._grad_fn
    del x._backward_hooks
    del x[0]
    v = z.view(2, 2) ; v.adjoint(), v.mT.adjoint().grad_fn, y.view(2, 2).adjoint()
    z.adjoint()
    torch.adjoint(y.view(1, 2, 2)).sum().backward() ; x.grad
    m = torch.nn.Linear(2, 1) ; m._apply(lambda t: t.exp_()) ; m.weight._version, m.bias._version
    m = torch.nn.Linear(2, 1) ; u = (m.bias**2).sum() ; m._apply(lambda t: t.exp_()) ; u.backward()
    m = torch.nn.Linear(2, 1) ; (m(w.float()) * 0).backward() ; g = m.weight.grad ; m.double() ; g
""")

REFUSED = lines("""
    x[:2].mul_(2)
    x.view(4).mul_(2)
    y.unbind(0)[0].mul_(2)
    y.split(1)[0].mul_(2)
    [row.mul_(2) for row in y]
    v = y.unbind(0)[0] ; y.mul_(2) ; v * 1
    v = y.unbind(0)[0].view(1) ; v.mul_(2)
    t = z.view(2, 2).requires_grad_() ; t.add_(1)
    t = z.view(2, 2).requires_grad_() ; t[0].add_(1)
    v = y[:2] ; u = v.exp() ; v.zero_() ; u.sum().backward() ; x.grad
    u = y**2 ; v = y[:2] ; v *= 2 ; (u * 1).detach()
    y[:1].mul_(2).requires_grad_(False)
    y[:1].detach_()
    v = torch.zeros(2, 0, requires_grad=True)[:0] ; w = v.split(1)[0] ; v.mul_(1) ; w.unbind()
    v = x * 2.0 ; v.sum().backward() ; v.sum().backward()
    i = torch.tensor([0, 1]) ; v = x.gather(0, i) ; i[0] = 2 ; v.sum().backward()
    i = torch.tensor([0, 1]) ; v = x[i] ; i[0] = 2 ; v.sum().backward()
    i = torch.tensor([0, 1], dtype=torch.int32) ; v = x[i] ; i[0] = 2 ; v.sum().backward()
    i = torch.tensor([0, 1]) ; v = y.view(2, 2)[0, i] ; i[0] = 1 ; torch.autograd.grad(v.sum(), x)
    i = torch.tensor([0, 1]) ; v = x.index_select(0, i) ; i[0] = 2 ; v.sum().backward()
    i = torch.tensor([0, 1]) ; v = x.take(i) ; i[0] = 2 ; v.sum().backward()
    i = torch.tensor([0, 1]) ; v = z.scatter_add(0, i, y) ; i[0] = 2 ; v.sum().backward()
""")

THROUGH_OTHER_MEMORY = lines("""
    s = [] ; h(x, s) ; u = x * 3 ; x.data = z + 1 ; (u * w.sum()).sum().backward() ; s, x.grad
    u = x * 3 ; x.data = torch.ones(2, 3) ; (x * 2).sum().backward() ; x.grad, u
    u = x * 3 ; x.data = torch.ones(3) ; (x * 2).sum().backward() ; u.sum().backward()
    u = x * 3 ; N(lambda: x.set_(z[:2])) ; u.sum().backward() ; (x**2).sum().backward()
    s = [] ; h(x, s) ; N(lambda: x.set_(z[:2])) ; (x * 2).sum().backward() ; s, x.grad, x._version
    u = x * 3 ; N(lambda: x.set_(torch.ones(4).double())) ; torch.autograd.grad(u.sum(), x)
    u = x * 3 ; e = E(x) ; N(lambda: x.set_(z)) ; torch.autograd.grad(u.sum(), e)
    N(lambda: x.resize_(2))
    N(lambda: y.resize_(2))
    z.resize_(2, 2) ; v = z.resize_(2, 2) ; z.resize_as_(v) ; z._version
    v = z[:2] ; v.resize_(2)._base is z
    z.grad = z.clone() ; z.resize_(2) ; z.requires_grad_() ; z.sum().backward()
    m = torch.ones(2, 3, requires_grad=True) ; N(m.t_) ; (m * z[:3, None]).sum().backward() ; m.grad
    m = y.view(2, 2)[:1] ; N(m.t_) ; (m * w.view(2, 1)).sum().backward() ; x.grad, m
    m = y.view(2, 2)[:1] ; N(m.t_) ; m[0].mul_(w[1]) ; (y * y).sum().backward() ; x.grad, w.grad
    m = y.view(2, 2)[:1] ; m.t_() ; y.mul_(3) ; (m * w.view(2, 1)).sum().backward() ; x.grad, m
    m = y.unbind()[0].view(1, 1) ; N(m.t_) ; m.mul_(2)
    m = y.view(2, 2) ; N(lambda: m.as_strided_((1, 0), (2, 2))) ; m.add_(1)
""")

MADE_FOR_INFERENCE = lines("""
    i.is_inference(), v.is_inference(), y[:2].is_inference()
    (i * 2).is_inference(), i[:1].is_inference(), i.view(2, 2).requires_grad
    i.add_(1)
    i.mul_(y)
    i[0] = 3
    v.zero_()
    i.t_()
    torch.add(w, 1, out=i)
    N(lambda: i.copy_(z))
    y.mul_(2) ; i.clone().add_(1), i.detach().is_inference(), v.requires_grad
    u = i + x ; u.sum().backward() ; x.grad, u.add_(1)
    torch.autograd.graph.increment_version(i) ; i
    I(lambda: i.add_(1)), I(lambda: i[:2].mul_(2)), I(lambda: z.add_(1)) ; z.add_(1)
    p = I(lambda: torch.nn.Linear(2, 1).double()) ; p(w.data).sum().backward() ; p.bias.grad
""")

UNDER_NO_GRAD = lines("""
    v = x[:2]
    v = y[:2]
    v = z[:2]
    v = y[:2] ; v.mul_(2)
    v = x.view(2, 2)[0]
""")

TAKEN_UNDER_NO_GRAD = (
    "y[:2]",
    "y.view(2, 2)",
    "y.unbind(0)[0]",
    "y.split(2)[0]",
    "x[:2]",
    "y[:2][:1]",
)
LATER = lines("""
    v
    v.requires_grad, v.is_leaf, v.grad_fn, (v * 2).requires_grad, v[0].requires_grad
    (v * 2).sum().backward() ; v.grad, x.grad
    v.grad = torch.ones_like(v) ; x.detach().mul_(2) ; y.detach().mul_(2) ; v.grad
    v.grad = torch.ones_like(v) ; v.grad = None ; v.grad
    import copy ; v.grad = torch.ones_like(v) ; copy.deepcopy(v).grad
    v.sum().backward() ; v.grad
    v.backward()
    v[:1].sum().backward(torch.ones(3))
    v.backward(torch.ones_like(v))
    torch.autograd.backward([x, v], [torch.ones_like(x), torch.ones_like(v)])
    torch.autograd.grad(v, [x], torch.ones_like(v), allow_unused=True)
    torch.autograd.grad(v, [v], torch.ones_like(v), allow_unused=True)
    torch.autograd.graph.get_gradient_edge(v)
    v.numpy()
    v.requires_grad_(False).requires_grad
    repr(v)
    torch.nn.init.zeros_(x) ; repr(v), v.requires_grad
    x.detach().mul_(2) ; y.detach().mul_(2) ; v.grad_fn
    u = v[:1] ; u.mul_(2)
    v.mul_(2)
""")

MEMORY = lines("""
    v = z[:2] ; v.grad = w.detach() ; z.mul_(y) ; v.grad_fn.name(), v.grad
    e = torch.ones(1, 0).expand(3, 0) ; e.zero_() ; e.add_(1)
    e = torch.ones(1).expand(3) ; e.copy_(e)
    e = torch.ones(1).expand(3) ; e.add_(1)
    e = torch.ones(1).expand(3) ; e.fill_(2)
    e = torch.ones(3) ; e.copy_(e) ; e, e._version
    s = y[0].clone() ; s[...] = 3 ; s
    s = y[0].clone() ; s[...] = torch.tensor(3.0) ; s
    s = y[0].clone() ; s[()] = 3 ; s
    y[...] = 3 ; y
    x.grad = torch.ones(1, dtype=torch.float64).expand(4) ; (x * 2).sum().backward()
    a = torch.ones(2, 2) ; v = torch.ones(2) ; [(p @ q)._is_view() for p in (a, v) for q in (a, v)]
    v = torch.ones(2, 2) @ torch.ones(2) ; v._version ; v += 1 ; v._version, v._base
    v = w @ y.view(2, 2) ; v += 1 ; v.sum().backward() ; x.grad, w.grad
    i = torch.tensor([0, 1]) ; v = x.take(i) ; i.fill_(3) ; v.sum().item()
    z[:] = 1 ; v = z[:][:][1:] ; v._base is z, v._is_view(), z._is_view()
""")


@pytest.mark.parametrize("source", THROUGH_A_VIEW)
def test_gradients_follow_a_change_through_a_view(source):
    full = source.replace("GG", "g.detach(), torch.autograd.grad(g.sum(), x)")
    agree(START + full, digits=12)


@pytest.mark.parametrize("source", REFUSED)
def test_what_may_not_be_changed(source):
    agree(START + source)


@pytest.mark.parametrize("source", UNDER_NO_GRAD)
@pytest.mark.parametrize(
    "change", ["v.mul_(2)", "v.mul_(w)", "y.mul_(2) ; v.grad_fn", "v.tolist()"]
)
def test_a_view_made_under_no_grad(source, change):
    made = source.replace("\n", "\n    ")
    agree(f"{START}\nwith torch.no_grad():\n    {made}\n" + change.replace(" ; ", "\n"))


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
@pytest.mark.parametrize("view", TAKEN_UNDER_NO_GRAD)
def test_a_view_requires_a_gradient_as_its_base_does(view, mode):
    for source in LATER:
        if mode == "no_grad" or "(v * 2)" not in source:  # inference tensors are saved nowhere
            agree(f"{START}with torch.{mode}(): v = {view}\n{source}")


@pytest.mark.parametrize("source", LATER)
def test_a_view_older_than_what_its_base_asks_for(source):
    for view in ("z[:2]", "z.chunk(2)[0]"):
        agree(f"{START}v = {view}\nz.requires_grad_()\n{source}")


@pytest.mark.parametrize("source", MADE_FOR_INFERENCE)
def test_what_was_made_for_inference_changes_only_there(source):
    agree(f"{START}I = lambda f: torch.inference_mode()(f)()\n"
          f"i, v = I(lambda: (z + 1, x[:2] * 2))\n{source}", messages=False)  # fmt: skip


@pytest.mark.parametrize("source", THROUGH_OTHER_MEMORY)
def test_memory_that_is_replaced(source):
    agree(START + source)


def test_a_computed_tensor_of_another_shape_passes_no_gradient():
    for change in ("N(m.t_)", "m.data = z[:3].view(3, 1)", "N(lambda: m.set_(z[:3]))"):
        for engine in ENGINES:
            with pytest.raises(RuntimeError, match="but expected shape compatible with"):
                run(f"{START}m = y[:2].view(1, 2) * 1\n{change}\nm.sum().backward()", engine)


@pytest.mark.parametrize("source", MEMORY)
def test_memory_that_is_shared_and_memory_that_is_not(source):
    agree(START + source)


def test_a_view_of_a_view_two_thousand_times_over():
    agree(START + "v = y\nfor _ in range(2000): v = v[:]\ny += 1\nv.sum().backward()\nx.grad")


@pytest.mark.parametrize("asked", ["x.requires_grad_(False)", "x.requires_grad_(False).add_(1)"])
def test_a_view_outlives_what_its_base_asks_for(asked):
    agree(START + f"v = x[:2]\n{asked}\nv.requires_grad, v.is_leaf")
