"""Module: registration, traversal, state, modes, text, copies; as PyTorch has them."""

import copy
import gc
import pickle
import weakref

import pytest

import tinygrad_mnist
from tests.nn.agreement import agree, fails


def net(e):
    """A tree with a tied parameter, buffers, a None child and a None parameter."""
    nn = e.nn

    class Inner(nn.Module):
        def __init__(self, shared):
            super().__init__()
            self.shared = shared
            self.register_buffer("running", e.zeros(2))
            self.register_buffer("hidden", e.ones(1), persistent=False)
            self.register_parameter("none", None)

        def forward(self, x):
            return x * self.shared + self.running

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(e.tensor([1.0, 2.0]))
            self.first = Inner(self.weight)
            self.again = self.first
            self.layers = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 2, bias=False)])
            self.missing = None
            self.act = nn.Sequential()

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return self.first(x)

    return Net()


JOBS = {
    "parameters": lambda e: list(net(e).parameters()),
    "own parameters": lambda e: [n for n, _ in net(e).named_parameters(recurse=False)],
    "named_parameters": lambda e: [n for n, _ in net(e).named_parameters()],
    "with duplicates": lambda e: [n for n, _ in net(e).named_parameters(remove_duplicate=False)],
    "prefix": lambda e: [n for n, _ in net(e).named_parameters(prefix="net")],
    "named_buffers": lambda e: [n for n, _ in net(e).named_buffers()],
    "own buffers": lambda e: [n for n, _ in net(e).named_buffers(recurse=False)],
    "named_modules": lambda e: [n for n, _ in net(e).named_modules()],
    "all modules": lambda e: [n for n, _ in net(e).named_modules(remove_duplicate=False)],
    "modules": lambda e: [type(m).__name__ for m in net(e).modules()],
    "children": lambda e: [type(m).__name__ for m in net(e).children()],
    "named_children": lambda e: [n for n, _ in net(e).named_children()],
    "text": lambda e: repr(net(e)),
    "state_dict": lambda e: dict(net(e).state_dict()),
    "state_dict prefix": lambda e: list(net(e).state_dict(prefix="net.")),
    "keep_vars": lambda e: [t.requires_grad for t in net(e).state_dict(keep_vars=True).values()],
    "metadata": lambda e: dict(net(e).state_dict()._metadata),
    "forward": lambda e: net(e)(e.ones(4, 2)),
    "no forward": lambda e: e.nn.Module()(1),
    "get_submodule": lambda e: repr(net(e).get_submodule("layers.1")),
    "get_submodule ''": lambda e: type(net(e).get_submodule("")).__name__,
    "no submodule": lambda e: net(e).get_submodule("layers.7"),
    "a parameter for a submodule": lambda e: net(e).get_submodule("weight.data"),
    "get_parameter": lambda e: net(e).get_parameter("layers.0.bias"),
    "no parameter": lambda e: net(e).get_parameter("layers.0.x"),
    "a module for a parameter": lambda e: net(e).get_parameter("layers.0"),
    "get_buffer": lambda e: net(e).get_buffer("first.running"),
    "a parameter for a buffer": lambda e: net(e).get_buffer("weight"),
    "attribute": lambda e: net(e).nothing,
    "dir": lambda e: [n for n in ("weight", "first", "layers", "act") if n in dir(net(e))],
    "numbers in dir": lambda e: [n for n in dir(net(e).layers) if n.isdigit()],
    "double": lambda e: [t.dtype is e.float64 for t in net(e).double().state_dict().values()],
    "to integers": lambda e: net(e).to(e.int64),
    "to cpu": lambda e: list(net(e).to("cpu", e.float64).parameters()),
    "train": lambda e: [m.training for m in net(e).train(False).modules()],
    "eval": lambda e: [m.training for m in net(e).eval().train().modules()],
    "train 1": lambda e: net(e).train(1),
    "requires_grad_": lambda e: [
        p.requires_grad for p in net(e).requires_grad_(False).parameters()
    ],
    "unexpected keyword": lambda e: e.nn.Module(depth=3),
    "unexpected argument": lambda e: e.nn.Module(3),
    "call_super_init": lambda e: type("M", (e.nn.Module,), {"call_super_init": True})().training,
}


@pytest.mark.parametrize("job", JOBS)
def test_like_pytorch(job):
    agree(JOBS[job], tolerance=1e-6 if job == "forward" else 0)


def assign(name, make):
    def job(e):
        module = net(e)
        setattr(module, name, make(e))
        return [sorted(kind) for kind in (module._parameters, module._buffers, module._modules)]

    return job


def before_init(make):
    def job(e):
        class Hasty(e.nn.Module):
            def __init__(self):
                self.x = make(e)
                super().__init__()

        return sorted(Hasty()._parameters)

    return job


REGISTRATION = {
    "a tensor for a parameter": assign("weight", lambda e: e.ones(2)),
    "None for a parameter": assign("weight", lambda e: None),
    "a number for a child": assign("first", lambda e: 3),
    "None for a child": assign("first", lambda e: None),
    "a parameter for a child": assign("first", lambda e: e.nn.Parameter(e.ones(1))),
    "a child for a parameter": assign("weight", lambda e: type("Own", (e.nn.Module,), {})()),
    "a buffer": assign("b", lambda e: e.nn.Buffer(e.ones(1))),
    "a tensor is no buffer": assign("b", lambda e: e.ones(1)),
    "a parameter over a plain attribute": assign("missing", lambda e: e.nn.Parameter(e.ones(1))),
    "parameter before init": before_init(lambda e: e.nn.Parameter(e.ones(1))),
    "module before init": before_init(lambda e: e.nn.Module()),
    "buffer before init": before_init(lambda e: e.nn.Buffer(e.ones(1))),
    "a number before init": before_init(lambda e: 3),
    "register a tensor": lambda e: net(e).register_parameter("p", e.ones(1)),
    "register a result": lambda e: net(e).register_parameter(
        "p", type("P", (e.nn.Parameter,), {"grad_fn": 3})(e.ones(1))
    ),
    "register with a dot": lambda e: net(e).register_parameter("a.b", None),
    "register without a name": lambda e: net(e).register_parameter("", None),
    "register a number's name": lambda e: net(e).register_parameter(3, None),
    "register what is there": lambda e: net(e).register_parameter("forward", None),
    "register buffer": lambda e: net(e).register_buffer("b", 3),
    "register buffer with a dot": lambda e: net(e).register_buffer("a.b", None),
    "register buffer without a name": lambda e: net(e).register_buffer("", None),
    "register buffer that is there": lambda e: net(e).register_buffer("weight", None),
    "add a number": lambda e: net(e).add_module("m", 3),
    "add with a dot": lambda e: net(e).add_module("a.b", None),
    "add without a name": lambda e: net(e).add_module("", None),
    "add a number's name": lambda e: net(e).add_module(3, None),
    "add what is there": lambda e: net(e).add_module("weight", None),
}


@pytest.mark.parametrize("case", REGISTRATION)
def test_registration(case):
    agree(REGISTRATION[case])


def test_buffers_keep_their_persistence():
    def job(e):
        module = net(e).first
        module.hidden = e.zeros(3)
        module.running = None
        return list(module.state_dict()), module.hidden

    agree(job)


def test_delete():
    def job(e):
        module = net(e)
        del module.weight
        del module.layers
        del module.first.hidden
        del module.missing
        return repr(module), list(module.state_dict()), hasattr(module, "weight")

    agree(job)


LOADING = {
    "same": lambda e, s: s,
    "missing": lambda e, s: {k: v for k, v in s.items() if k != "layers.0.bias"},
    "unexpected": lambda e, s: {**s, "layers.0.x": 1, "what": e.ones(1), "first.x.y": 2},
    "sizes": lambda e, s: {**s, "layers.0.bias": e.ones(4), "weight": e.ones(2, 2)},
    "all at once": lambda e, s: {"layers.0.bias": e.ones(4), "z": 0},
    "no tensor": lambda e, s: {**s, "weight": [1.0, 2.0]},
    "another type": lambda e, s: {k: v.double() for k, v in s.items()},
    "no mapping": lambda e, s: list(s),
    "no None": lambda e, s: {**s, "first.none": e.ones(1)},
}


@pytest.mark.parametrize("case", LOADING)
@pytest.mark.parametrize("strict", [True, False])
def test_load_state_dict(case, strict):
    def job(e):
        e.manual_seed(1)
        source, target = net(e), net(e)
        result = target.load_state_dict(LOADING[case](e, source.state_dict()), strict=strict)
        return str(result), dict(target.state_dict()), target.weight.requires_grad

    agree(job)


def test_load_into_a_number_and_assign():
    def job(e):
        module = e.nn.Module()
        module.scale = e.nn.Parameter(e.tensor(1.0), requires_grad=False)
        module.load_state_dict({"scale": e.tensor([3.0])})
        first = module.scale.item()
        given = e.tensor(5.0)
        module.load_state_dict({"scale": given}, assign=True)
        given.mul_(2)
        return first, module.scale, module.scale.requires_grad, type(module.scale).__name__

    agree(job)


def test_loading_does_not_share_memory():
    engine = tinygrad_mnist
    source, target = net(engine), net(engine)
    target.load_state_dict(source.state_dict())
    with engine.no_grad():
        source.weight.zero_()
    assert target.weight.tolist() == [1, 2]
    assert source.state_dict()["weight"].tolist() == [0, 0]


def test_extra_state_and_hooks_of_the_state():
    def job(e):
        seen = []

        class Counting(e.nn.Module):
            count = 3

            def get_extra_state(self):
                return {"count": self.count}

            def set_extra_state(self, state):
                self.count = state["count"]

        outer = e.nn.Sequential(Counting(), e.nn.Linear(1, 1))
        outer[0].count = 8
        outer.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append((prefix, keep)))
        outer.register_state_dict_post_hook(lambda m, d, prefix, meta: d.pop("1.bias") and None)
        state = outer.state_dict()
        other = e.nn.Sequential(Counting(), e.nn.Linear(1, 1))
        other.register_load_state_dict_pre_hook(
            lambda m, d, prefix, *rest: d.setdefault("1.bias", e.zeros(1)) and None
        )
        other.register_load_state_dict_post_hook(lambda m, keys: seen.append(list(keys)))
        other.load_state_dict(state)
        other.load_state_dict({"0._extra_state": {"count": 1}}, strict=False)
        refused = str(e.nn.Linear(1, 1).load_state_dict({"_extra_state": 1}, strict=False))
        return list(state), other[0].count, seen, refused

    agree(job)


HOOKS = {
    "observe": lambda e, m, log: [
        m.register_forward_pre_hook(lambda mod, args: log.append(("before", args))),
        m.register_forward_hook(lambda mod, args, out: log.append(("after", args, out))),
    ],
    "replace": lambda e, m, log: [
        m.register_forward_pre_hook(lambda mod, args: args[0] * 2),
        m.register_forward_hook(lambda mod, args, out: out + 1),
    ],
    "keywords": lambda e, m, log: [
        m.register_forward_pre_hook(
            lambda mod, args, kwargs: (args, {**kwargs, "scale": 3}), with_kwargs=True
        ),
        m.register_forward_hook(
            lambda mod, args, kwargs, out: log.append((args, kwargs)), with_kwargs=True
        ),
    ],
    "order": lambda e, m, log: [
        m.register_forward_hook(lambda mod, args, out: log.append(1)),
        m.register_forward_hook(lambda mod, args, out: log.append(2), prepend=True),
        m.register_forward_pre_hook(lambda mod, args: log.append(3)),
        m.register_forward_pre_hook(lambda mod, args: log.append(4), prepend=True),
    ],
    "wrong result": lambda e, m, log: [
        m.register_forward_pre_hook(lambda mod, args, kwargs: 3, with_kwargs=True)
    ],
    "always": lambda e, m, log: [
        m.register_forward_hook(lambda mod, args, out: log.append("no")),
        m.register_forward_hook(lambda mod, args, out: log.append(out), always_call=True),
        m.register_forward_pre_hook(lambda mod, args: 1 / 0),
    ],
    "always, failing": lambda e, m, log: [
        m.register_forward_hook(lambda mod, args, out: [][0], always_call=True),
        m.register_forward_pre_hook(lambda mod, args: 1 / 0),
    ],
}


@pytest.mark.parametrize("case", HOOKS)
def test_forward_hooks(case):
    def job(e):
        class Scaled(e.nn.Module):
            def forward(self, x, scale=1):
                return x * scale

        module, log = Scaled(), []
        handles = HOOKS[case](e, module, log)
        try:
            first = module(e.ones(2))
        except Exception as error:
            first = type(error).__name__
        for handle in handles:
            handle.remove()
        return first, log, module(e.ones(2)), len(module._forward_hooks)

    agree(job)


def test_apply_goes_children_first():
    def job(e):
        seen = []
        module = net(e)
        same = module.apply(lambda m: seen.append(type(m).__name__)) is module
        return seen, same

    agree(job)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(set_to_none):
    def job(e):
        module = net(e)
        module(e.ones(1, 2)).sum().backward()
        module.zero_grad(set_to_none=set_to_none)
        return [p.grad for p in module.parameters()]

    agree(job)


def test_conversion_keeps_parameters_and_their_gradients():
    def job(e):
        module = net(e)
        before = module.weight
        module(e.ones(1, 2)).sum().backward()
        module.double()
        module(e.ones(1, 2, dtype=e.float64)).sum().backward()
        return module.weight is before, module.weight.grad, module.layers[0].bias.grad

    agree(job)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_copies(how):
    def job(e):
        module = e.nn.Sequential(e.nn.Linear(2, 2), e.nn.ReLU())
        module.add_module("tied", module[0])
        module.note = [1, 2]
        module(e.ones(1, 2)).sum().backward()
        twin = copy.deepcopy(module) if how == "deepcopy" else pickle.loads(pickle.dumps(module))
        twin.note.append(3)
        grads = [p.grad for p in twin.parameters()]
        same = twin[0] is twin.tied
        return module.note, dict(twin.state_dict()), grads, same, twin(e.ones(1, 2)), repr(twin)

    agree(job)


def test_set_submodule():
    def job(e):
        module = net(e)
        module.set_submodule("layers.0", e.nn.Linear(1, 1))
        module.set_submodule("extra", e.nn.Linear(2, 2))
        return repr(module)

    agree(job)


@pytest.mark.parametrize(
    "job",
    [
        lambda e: net(e).set_submodule("", e.nn.Linear(1, 1)),
        lambda e: net(e).set_submodule("first", 3),
        lambda e: net(e).set_submodule("weight", e.nn.Linear(1, 1)),
        lambda e: net(e).set_submodule("extra", e.nn.Linear(1, 1), strict=True),
        lambda e: net(e).set_submodule("a.b", e.nn.Linear(1, 1)),
    ],
)
def test_set_submodule_errors(job):
    assert fails(job)
    agree(job)


def test_a_module_goes_when_nobody_holds_it():
    module = net(tinygrad_mnist)
    gone = weakref.ref(module)
    module(tinygrad_mnist.ones(1, 2)).sum().backward()
    del module
    gc.collect()
    assert gone() is None


def test_multi_line_settings_in_text():
    def job(e):
        class Wordy(e.nn.Module):
            def extra_repr(self):
                return "a=1,\nb=2"

        alone = Wordy()
        parent = Wordy()
        parent.child = e.nn.Sequential(Wordy(), e.nn.Linear(1, 1))
        return repr(alone), repr(parent), str(e.nn.Module())

    agree(job)


class WithoutPersistence(tinygrad_mnist.nn.Linear):
    """Registers buffers in its own way."""

    def __init__(self):
        super().__init__(2, 2)
        self.bar = tinygrad_mnist.nn.Buffer(tinygrad_mnist.ones(2))

    def register_buffer(self, name, value):
        super().register_buffer(name, value, True)


def test_a_buffer_reaches_an_own_register_buffer():
    assert list(WithoutPersistence().state_dict()) == ["weight", "bias", "bar"]


def test_call_super_init_reaches_what_is_mixed_in():
    def job(e):
        class Mixin:
            def __init__(self, *args, **options):
                self.given = args, options

        class Plain(e.nn.Module, Mixin):
            pass

        class Calling(e.nn.Module, Mixin):
            call_super_init = True

        return hasattr(Plain(), "given"), Calling(1, b=2).given

    agree(job)


def test_to_takes_what_pytorch_s_takes():
    def arguments(e):
        cpu, number, kind = e.device("cpu"), e.zeros(1), e.float64
        return [
            (cpu, True), (None, True), (cpu, e.int64, True), ([],), (cpu, number), (), (None,),
            (cpu, kind, True), ("cpu", True), (kind, True), (number, True), (kind, cpu),
            (None, None), (None, kind), ("cpu",), ({},), (e.int64,), (number, number),
        ]  # fmt: skip

    def kind_of(e, given):
        try:
            return str(e.nn.Linear(1, 1).to(*given).weight.dtype)
        except TypeError:
            return "TypeError"

    agree(lambda e: [kind_of(e, given) for given in arguments(e)])
