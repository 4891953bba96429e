"""Hooks of optimisers are called when PyTorch calls them, with what PyTorch gives them."""

import importlib
import pickle

import pytest
import torch as reference

import tinygrad_mnist

WITH_BETAS = ("Adam", "NAdam")
OPTIMIZERS = ("SGD", "Adagrad", "Adadelta", "RMSprop", "Rprop", *WITH_BETAS)


def told(torch, name, subclass=False):
    """What the hooks of an optimiser saw in a step, a state taken and loaded, and a step."""
    seen = []
    base = getattr(torch.optim, name)
    kind = type("Mine", (base,), {"step": lambda self: base.step(self)}) if subclass else base
    weight = torch.ones(2, requires_grad=True)
    optimizer = kind([weight], lr=0.1)
    from_above = importlib.import_module(f"{torch.__name__}.optim.optimizer")
    handles = [
        optimizer.register_step_pre_hook(
            lambda o, a, k: seen.append(("before", a[0] is o, a[1:], k))
        ),
        optimizer.register_step_post_hook(
            lambda o, a, k: seen.append(("after", a[0] is o, a[1:], k))
        ),
        from_above.register_optimizer_step_pre_hook(lambda o, a, k: seen.append("all before")),
        from_above.register_optimizer_step_post_hook(lambda o, a, k: seen.append("all after")),
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("taking")),
        optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1}),
        optimizer.register_state_dict_post_hook(lambda o, s: seen.append(sorted(s)), prepend=True),
        optimizer.register_load_state_dict_pre_hook(lambda o, s: seen.append(sorted(s))),
        optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded")),
    ]
    weight.sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    for handle in handles:
        handle.remove()
    optimizer.step()
    return seen


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("subclass", [False, True])
def test_hooks_are_called_as_pytorch_calls_them(name, subclass):
    seen = told(tinygrad_mnist, name, subclass)
    assert seen == told(reference, name, subclass)
    assert "all before" in seen


@pytest.mark.parametrize("torch", [tinygrad_mnist, reference])
def test_a_hook_changes_the_arguments_of_a_step(torch):
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, a, k: (a, {"closure": lambda: 7}))
    assert optimizer.step() == 7
    optimizer.register_step_pre_hook(lambda o, a, k: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()


def test_an_optimiser_from_a_pickle_has_no_hooks_and_takes_new_ones():
    optimizer = tinygrad_mnist.optim.SGD([tinygrad_mnist.ones(1, requires_grad=True)], lr=0.1)
    optimizer.register_step_post_hook(lambda *given: pytest.fail("not pickled"))
    again = pickle.loads(pickle.dumps(optimizer))
    seen = []
    again.register_step_post_hook(lambda *given: seen.append(given))
    again.step()
    assert len(seen) == 1
