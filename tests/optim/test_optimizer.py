"""What all optimisers share: groups, state, closures, text, errors; as PyTorch has them."""

import copy
import pickle

import numpy as np
import pytest
import torch

import tinygrad_mnist

ENGINES = (torch, tinygrad_mnist)


def outcome(job, engine):
    """What job(engine) gives, or the class and message of its error."""
    try:
        return job(engine)
    except Exception as error:
        return type(error).__name__, str(error)


def agree(job):
    theirs, ours = (outcome(job, engine) for engine in ENGINES)
    assert ours == theirs


def weight(engine, value=1.0):
    return engine.full((2,), value, requires_grad=True)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_text(name):
    agree(lambda engine: str(getattr(engine.optim, name)([weight(engine)], lr=0.5)))


def test_text_of_groups():
    def text(engine):
        groups = [
            {"params": weight(engine), "momentum": 0.9},
            {"params": [weight(engine)], "name": "second"},
        ]
        return str(engine.optim.SGD(groups, lr=0.1))

    agree(text)


def test_named_parameters():
    def named(engine):
        optimizer = engine.optim.SGD([("a", weight(engine)), ("b", weight(engine))], lr=0.1)
        return optimizer.state_dict(), str(optimizer)

    agree(named)


ERRORS = {
    "a tensor": lambda e: e.optim.SGD(weight(e), lr=0.1),
    "none": lambda e: e.optim.SGD([], lr=0.1),
    "a number": lambda e: e.optim.SGD([1], lr=0.1),
    "a set": lambda e: e.optim.SGD([{"params": {weight(e)}}], lr=0.1),
    "a non-leaf": lambda e: e.optim.SGD([weight(e) * 2], lr=0.1),
    "negative lr": lambda e: e.optim.SGD([weight(e)], lr=-1),
    "two lrs": lambda e: e.optim.SGD([weight(e)], lr=e.ones(2)),
    "momentum": lambda e: e.optim.SGD([weight(e)], momentum=-1),
    "decay": lambda e: e.optim.SGD([weight(e)], weight_decay=-1),
    "nesterov": lambda e: e.optim.SGD([weight(e)], nesterov=True),
    "beta": lambda e: e.optim.Adam([weight(e)], betas=(1.0, 0.9)),
    "second beta": lambda e: e.optim.Adam([weight(e)], betas=(0.9, -0.1)),
    "eps": lambda e: e.optim.Adam([weight(e)], eps=-1),
    "Adam lr": lambda e: e.optim.Adam([weight(e)], lr=float("nan")),
    "Adam decay": lambda e: e.optim.Adam([weight(e)], weight_decay=-1),
    "alpha": lambda e: e.optim.RMSprop([weight(e)], alpha=-1),
    "RMSprop eps": lambda e: e.optim.RMSprop([weight(e)], eps=-1),
    "RMSprop decay": lambda e: e.optim.RMSprop([weight(e)], weight_decay=-1),
    "half named": lambda e: e.optim.SGD([("a", weight(e)), weight(e)], lr=0.1),
    "not a group": lambda e: e.optim.SGD([weight(e)], lr=0.1).add_param_group([weight(e)]),
    "name mix": lambda e: e.optim.SGD([weight(e)], lr=0.1).add_param_group(
        {"params": [("a", weight(e))]}
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error(case):
    job = ERRORS[case]
    assert isinstance(outcome(job, torch), tuple), "PyTorch raises no error here"
    agree(job)


def test_a_parameter_in_two_groups():
    def twice(engine):
        shared = weight(engine)
        engine.optim.SGD([{"params": [shared]}, {"params": [shared]}], lr=0.1)

    agree(twice)


def test_a_parameter_twice_in_a_group_warns():
    for engine in ENGINES:
        shared = weight(engine)
        with pytest.warns(UserWarning, match="duplicate parameters"):
            engine.optim.SGD([shared, shared], lr=0.1)


def test_a_required_setting():
    def without(engine):
        required = __import__(f"{engine.__name__}.optim.optimizer", fromlist=["required"]).required
        engine.optim.Optimizer([weight(engine)], {"rate": required})

    agree(without)


def test_differentiable_is_refused():
    for name in ("SGD", "Adam", "AdamW", "RMSprop"):
        with pytest.raises(NotImplementedError, match="differentiable=True is not supported"):
            getattr(tinygrad_mnist.optim, name)([weight(tinygrad_mnist)], differentiable=True)


def test_closure():
    def run(engine):
        w = weight(engine)
        optimizer = engine.optim.SGD([w], lr=0.1)

        def closure():
            optimizer.zero_grad()
            loss = (w**2).sum()
            loss.backward()
            return loss

        with engine.no_grad():
            loss = optimizer.step(closure)
        return loss.item(), w.tolist(), w.requires_grad

    agree(run)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_zero_grad(create_graph):
    def run(engine):
        w = weight(engine)
        optimizer = engine.optim.SGD([w], lr=0.1)
        (w**3).sum().backward(create_graph=create_graph)
        gradient = w.grad
        optimizer.zero_grad(set_to_none=False)
        zeroed = w.grad is gradient, gradient.requires_grad, gradient.tolist()
        optimizer.zero_grad()
        return zeroed, w.grad

    agree(run)


def test_add_param_group():
    def run(engine):
        first, second = weight(engine), weight(engine, 2.0)
        optimizer = engine.optim.SGD([first], lr=0.5)
        optimizer.add_param_group({"params": second, "lr": 0.25})
        (first.sum() + second.sum()).backward()
        optimizer.step()
        return first.tolist(), second.tolist(), optimizer.state_dict()

    agree(run)


def train(engine, optimizer, w, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (w**3).sum().backward()
        optimizer.step()
    return w.tolist()


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
def test_training_goes_on_from_saved_state(name, how):
    engine = tinygrad_mnist
    settings = {"lr": 0.01} | ({} if name == "Adam" else {"momentum": 0.9})
    w = weight(engine)
    optimizer = getattr(engine.optim, name)([w], **settings)
    train(engine, optimizer, w, 3)
    if how == "state_dict":
        saved = copy.deepcopy(optimizer.state_dict())
        twin = w.detach().clone().requires_grad_()
        other = getattr(engine.optim, name)([twin], lr=123.0)
        other.load_state_dict(saved)
    else:
        make = copy.deepcopy if how == "deepcopy" else lambda each: pickle.loads(pickle.dumps(each))
        other = make(optimizer)
        (twin,) = other.param_groups[0]["params"]
        assert twin is not w
    assert train(engine, other, twin, 3) == train(engine, optimizer, w, 3)


def test_load_state_dict_refuses_other_groups():
    def groups(engine):
        saved = engine.optim.SGD([weight(engine)], lr=0.1).state_dict()
        two = [{"params": weight(engine)}, {"params": weight(engine)}]
        engine.optim.SGD(two, lr=0.1).load_state_dict(saved)

    def sizes(engine):
        saved = engine.optim.SGD([weight(engine)], lr=0.1).state_dict()
        engine.optim.SGD([weight(engine), weight(engine)], lr=0.1).load_state_dict(saved)

    agree(groups)
    agree(sizes)


def test_loaded_state_takes_the_parameter_type():
    engine = tinygrad_mnist
    w = engine.ones(2, dtype=engine.float64, requires_grad=True)
    saved = engine.optim.Adam([w])
    w.sum().backward()
    saved.step()
    other = engine.optim.Adam([weight(engine)])
    other.load_state_dict(saved.state_dict())
    (state,) = other.state.values()
    assert state["exp_avg"].dtype is engine.float32
    assert state["step"].item() == 1


def test_an_optimiser_of_ones_own():
    def run(engine):
        class Signs(engine.optim.Optimizer):
            def __init__(self, params, lr):
                super().__init__(params, {"lr": lr})

            @engine.no_grad()
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        p.add_(p.grad.sign(), alpha=-group["lr"])
                        self.state[p]["steps"] = self.state[p].get("steps", 0) + 1

        w = weight(engine)
        optimizer = Signs([w], lr=0.5)
        (w * -3).sum().backward()
        optimizer.step()
        return w.tolist(), optimizer.state_dict(), str(optimizer)

    agree(run)


@pytest.mark.parametrize("name", ["Adam", "ASGD", "NAdam"])
def test_counts_of_older_versions(name):
    """States whose counts are plain numbers go on as those with tensors do."""
    paths = []
    for engine in (torch, tinygrad_mnist):
        weight = engine.ones(2, requires_grad=True)
        optimizer = getattr(engine.optim, name)([weight], lr=0.1)
        for number in range(4):
            (weight**2).sum().backward()
            optimizer.step()
            if number == 1:
                state = optimizer.state_dict()
                kept = state["state"][0]
                kept |= {key: each.item() for key, each in kept.items() if each.ndim == 0}
                optimizer.load_state_dict(state)
        paths.append(weight.tolist())
    np.testing.assert_allclose(*paths, rtol=1e-6)
