"""What a program was traced with must be there at each call: the same objects, equal numbers."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.compiler.guards import Guards


def cells(value: Any) -> Any:
    return (lambda: value).__closure__


WATCHED = {"a": 1, "b": [2], "c": 0.25}


@pytest.fixture
def guards() -> tuple[Guards, dict[str, Any]]:
    watched = dict(WATCHED)
    guards = Guards()
    guards.watch_dict(watched, without=["c"])
    assert guards.hold()
    return guards, watched


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(a=2),
        lambda d: d.update(a=1.0),
        lambda d: d.update(a=True),
        lambda d: d.update(b=[2]),
        lambda d: d.update(d=0),
        lambda d: d.pop("a"),
        lambda d: d.pop("c"),
        lambda d: d.clear(),
    ],
)
def test_a_changed_dictionary_does_not_hold(guards: Any, change: Any) -> None:
    held, watched = guards
    change(watched)
    assert not held.hold()
    assert not held.hold()


def test_what_is_left_out_may_change_and_what_comes_back_holds_again(guards: Any) -> None:
    held, watched = guards
    watched["c"] = 7.0
    assert held.hold()
    watched["a"] = 5
    assert not held.hold()
    watched["a"] = 1
    assert held.hold()


def test_equal_numbers_and_texts_are_as_good_as_the_same_object() -> None:
    watched = {"x": float("2.5"), "name": "".join(["le", "ft"]), "large": int("123456789")}
    held = Guards()
    held.watch_dict(watched)
    for _ in range(3):
        watched |= {"x": float("2.5"), "name": "".join(["le", "ft"]), "large": int("123456789")}
        assert held.hold()
    watched["name"] = "right"
    assert not held.hold()


def test_growth_between_watching_and_the_first_look_is_seen() -> None:
    by_name: dict[str, int] = {}
    by_object: dict[Any, int] = {object(): 1}
    numbers = [1]
    for fill, watch in (
        (lambda: by_name.update(a=1), lambda g: g.watch_dict(by_name)),
        (lambda: by_object.update({object(): 2}), lambda g: g.watch_dict(by_object)),
        (lambda: numbers.append(2), lambda g: g.watch_list(numbers)),
    ):
        held = Guards()
        watch(held)
        fill()
        assert not held.hold()


def test_keys_that_are_no_texts_lists_cells_and_names() -> None:
    key, value = object(), object()
    states, elements, inside = {key: value}, [value], cells(value)
    names = {"f": value, "unread": 1}
    held = Guards()
    held.watch_dict(states)
    held.watch_list(elements)
    held.watch_cells(inside)
    held.watch_names(names, ["f"])
    assert held.hold()
    names["unread"] = 2
    names["new"] = 3
    assert held.hold()
    states[key] = object()
    assert not held.hold()
    states[key] = value
    elements[0] = object()
    assert not held.hold()
    elements[0] = value
    del names["f"]
    assert not held.hold()
    names["f"] = value
    assert held.hold()
    inside[0].cell_contents = object()
    assert not held.hold()
    del inside[0].cell_contents
    assert not held.hold()


def test_guards_that_watch_nothing_hold() -> None:
    assert Guards().hold()


@pytest.mark.usefixtures("plain")
def test_hooks_of_a_module_that_come_and_go_are_noticed() -> None:
    layer = torch.nn.Linear(3, 2)

    @torch.compile
    def forward(x: Any) -> Any:
        with torch.no_grad():
            return layer(x)

    x = torch.rand(4, 3)
    for _ in range(2):
        assert torch.equal(forward(x), layer(x))
        doubling = layer.register_forward_hook(lambda module, args, output: output * 2)
        halving = layer.register_forward_pre_hook(lambda module, args: (args[0] / 2,))
        assert torch.equal(forward(x), layer(x))
        halving.remove()
        assert torch.equal(forward(x), layer(x))
        doubling.remove()


@pytest.mark.usefixtures("plain")
def test_hooks_of_a_parameter_that_come_and_go_are_noticed() -> None:
    w = torch.ones(2, requires_grad=True)

    @torch.compile
    def gradient(x: Any) -> Any:
        (w * x).sum().backward()
        found, w.grad = w.grad, None
        return found

    x = torch.tensor([1.0, 5.0])
    for _ in range(2):
        assert torch.equal(gradient(x), x)
        tripling = w.register_hook(lambda grad: grad * 3)
        assert torch.equal(gradient(x), 3 * x)
        tripling.remove()
