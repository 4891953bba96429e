"""Whatever a compiled function reads of Python's objects, their changes between calls show."""

from __future__ import annotations

import array
import builtins
import collections
import dataclasses
import enum
import functools
import math
import os
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.compiler.changes import Case, check, of
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

pytestmark = pytest.mark.usefixtures("plain")

NUMBER = 2.0
LIST = [2.0]
HERE = globals()


def first(held: Any, x: Any) -> Any:
    return x * held[0]


def at_a(held: Any, x: Any) -> Any:
    return x * held["a"]


def by(held: Any, x: Any) -> Any:
    return x * held.by


def called(held: Any, x: Any) -> Any:
    return held(x)


def put(key: Any, value: Any = 3.0) -> Callable[[Any], Any]:
    return lambda held: held.__setitem__(key, value)


def attr(name: str, value: Any = 3.0) -> Callable[[Any], Any]:
    return lambda held: setattr(held, name, value)


def kind(*bases: type, **inside: Any) -> Any:
    return type("Kind", bases, inside)


def with_by(held: Any) -> Any:
    held.by = 2.0
    return held


def made(*bases: type, **inside: Any) -> Any:
    """An object of a class of its own, with `by` among its attributes."""
    return with_by(kind(*bases, **inside)())


CONTAINERS: dict[str, Case] = {
    "list": of(lambda: [2.0], first, put(0), lambda held: held.insert(0, 4.0)),
    "list of lists": of(lambda: [[2.0]], lambda held, x: x * held[0][0], lambda h: put(0)(h[0])),
    "lists in a circle": of(
        lambda: (lambda a: (a.append([a]), a)[1])([2.0]),
        lambda held, x: x * held[1][0][0],
        put(0),
    ),
    "dict": of(lambda: {"a": 2.0}, at_a, put("a")),
    "dict, a new key": of(dict, lambda held, x: x * held.get("a", 1.0), put("a")),
    "dict, numbers as keys": of(lambda: {0: 2.0}, first, put(0)),
    "dict, another key": of(
        lambda: {1: 2.0},
        lambda held, x: x * next(iter(held)),
        lambda held: (held.clear(), held.update({5: 2.0})),
    ),
    "dict, its order": of(
        lambda: {"a": 2.0, "b": 3.0},
        lambda held, x: x * next(iter(held.values())),
        lambda held: held.update(a=held.pop("a")),
    ),
    "values of a dict": of(
        lambda: (lambda inner: [inner, inner.values()])({"a": 2.0}),
        lambda held, x: x * sum(held[1]),
        lambda held: put("a")(held[0]),
    ),
    "OrderedDict": of(
        lambda: collections.OrderedDict(a=2.0, b=3.0),
        lambda held, x: x * next(iter(held.values())),
        lambda held: held.move_to_end("a"),
    ),
    "Counter": of(lambda: collections.Counter("aab"), at_a, lambda held: held.update("a")),
    "defaultdict": of(lambda: collections.defaultdict(float, a=2.0), at_a, lambda h: h.pop("a")),
    "UserDict": of(lambda: collections.UserDict(a=2.0), at_a, put("a")),
    "ChainMap": of(lambda: collections.ChainMap({}, {"a": 2.0}), at_a, put("a")),
    "mappingproxy": of(
        lambda: (lambda inner: [inner, types.MappingProxyType(inner)])({"a": 2.0}),
        lambda held, x: x * held[1]["a"],
        lambda held: put("a")(held[0]),
    ),
    "set": of(lambda: {2.0}, lambda held, x: x * sum(held), lambda held: held.add(3.0)),
    "set, another element": of(
        lambda: {2.0},
        lambda held, x: x * sum(held),
        lambda held: (held.discard(2.0), held.add(5.0)),
    ),
    "list in a tuple": of(lambda: ([2.0],), lambda h, x: x * h[0][0], lambda h: put(0)(h[0])),
    "deque": of(lambda: collections.deque([2.0]), first, lambda held: held.appendleft(3.0)),
    "bytearray": of(lambda: bytearray(b"\x02"), first, put(0, 3)),
    "memoryview": of(lambda: memoryview(bytearray(b"\x02")), first, put(0, 3)),
    "array": of(lambda: array.array("d", [2.0]), first, put(0)),
    "ndarray": of(lambda: np.ones(2), lambda held, x: x * float(held[0]), put(0)),
    "shape of an ndarray": of(
        lambda: np.ones((2, 1)), lambda held, x: x * held.shape[0], attr("shape", (1, 2))
    ),
    "NumPy's number": of(
        lambda: [np.float32(2)], lambda held, x: x * held[0].item(), put(0, np.float32(3))
    ),
    "NaN": of(lambda: [math.nan], lambda h, x: x if h[0] != h[0] else x * h[0], put(0)),
    "sign of zero": of(lambda: [0.0], lambda held, x: x / held[0], put(0, -0.0)),
    "bool for int": of(lambda: [1], lambda h, x: x * (3 if h[0] is True else 2), put(0, True)),
    "text": of(lambda: ["add"], lambda held, x: getattr(x, held[0])(3.0), put(0, "mul")),
    "type": of(lambda: [torch.int32], lambda held, x: x.to(held[0]), put(0, torch.float64)),
    "namedtuple": of(
        lambda: [collections.namedtuple("Pair", "a b")(2.0, [1.0])],
        lambda held, x: x * held[0].a * held[0].b[0],
        lambda held: put(0)(held[0].b),
        lambda held: put(0, held[0]._replace(a=5.0))(held),
    ),
    "function in a dict": of(
        lambda: {"a": lambda x: x * 2}, lambda h, x: h["a"](x), put("a", lambda x: x * 3)
    ),
    "list with attributes": of(
        lambda: (lambda h: (h.append(2.0), h)[1])(made(list)),
        lambda held, x: x * held[0] * held.by,
        put(0),
        attr("by"),
    ),
    "dict with attributes": of(lambda: made(dict, a=1.0), by, attr("by"), attr("more")),
}  # fmt: skip


@dataclasses.dataclass
class Settings:
    by: float = 2.0
    more: list[float] = dataclasses.field(default_factory=lambda: [1.0])


@dataclasses.dataclass
class Slots:
    __slots__ = ("by",)
    by: float


class Colour(enum.Enum):
    RED = 2.0
    BLUE = 3.0


class Descriptor:
    by = 2.0

    def __get__(self, instance: Any, owner: Any = None) -> float:
        return self.by


class Base:
    def scale(self) -> float:
        return 2.0


class Inheriting(Base):
    def scale(self) -> float:
        return super().scale() * 2


class Counting:
    """An iterator whose place is an attribute."""

    place = 0

    def __next__(self) -> int:
        self.place += 1
        return self.place


def patched_class(name: str, value: Any = lambda *_: 9.0) -> Callable[[Any], Any]:
    return lambda held: setattr(type(held), name, value)


OBJECTS: dict[str, Case] = {
    "attribute": of(made, by, attr("by"), lambda held: vars(held).update(by=4.0)),
    "__dict__": of(made, by, attr("__dict__", {"by": 3.0})),
    "slot": of(lambda: Slots(2.0), by, attr("by")),
    "dataclass": of(Settings, by, attr("by")),
    "list of a dataclass": of(Settings, lambda h, x: x * h.more[0], lambda h: put(0)(h.more)),
    "namespace": of(lambda: types.SimpleNamespace(by=2.0), by, attr("by")),
    "member of an enum": of(lambda: [Colour.RED], lambda h, x: x * h[0].value, put(0, Colour.BLUE)),
    "object in a list": of(lambda: [made()], lambda h, x: x * h[0].by, lambda h: attr("by")(h[0])),
    "weak reference": of(
        lambda: (lambda inner: [inner, weakref.ref(inner)])(made()),
        lambda held, x: x * held[1]().by,
        lambda held: attr("by")(held[0]),
    ),
    "class attribute": of(lambda: kind(by=2.0), by, attr("by")),
    "list of a class": of(lambda: kind(a=[2.0]), lambda h, x: x * h.a[0], lambda h: put(0)(h.a)),
    "class attribute of an object": of(
        lambda: kind(by=2.0)(), by, patched_class("by", 3.0), attr("by", 4.0)
    ),
    "class attribute by type": of(
        lambda: kind(by=2.0)(), lambda held, x: x * type(held).by, patched_class("by", 3.0)
    ),
    "attribute of a base": of(
        lambda: kind(kind(by=2.0)),
        by,
        lambda held: attr("by")(held.__base__),
        attr("by", 4.0),
    ),
    "attribute of a metaclass": of(
        lambda: kind(type, by=2.0)("K", (), {}), by, patched_class("by", 3.0)
    ),
    "class of an object": of(kind(by=2.0), by, lambda held: attr("__class__", kind(by=3.0))(held)),
    "method": of(
        lambda: made(scale=lambda self: 2.0),
        lambda held, x: x * held.scale(),
        patched_class("scale"),
        attr("scale", lambda: 4.0),
    ),
    "bound method": of(
        lambda: made(scale=lambda self, x: x * self.by).scale,
        called,
        lambda held: attr("by")(held.__self__),
    ),
    "method of a base": of(
        Inheriting,
        lambda held, x: x * held.scale(),
        lambda held: setattr(Base, "scale", lambda self: 3.0),
        lambda held: setattr(Base, "scale", lambda self: 2.0),
    ),
    "static method": of(
        lambda: kind(scale=staticmethod(lambda: 2.0)),
        lambda held, x: x * held.scale(),
        attr("scale", staticmethod(lambda: 3.0)),
    ),
    "class method": of(
        lambda: kind(scale=classmethod(lambda cls: cls.by), by=2.0),
        lambda held, x: x * held.scale(),
        attr("by"),
        attr("scale", classmethod(lambda cls: 4.0)),
    ),
    "property": of(
        lambda: kind(by=property(lambda self: 2.0))(),
        by,
        patched_class("by", property(lambda self: 3.0)),
    ),
    "what a property reads": of(
        lambda: kind(by=property(lambda self: LIST[0]))(),
        by,
        lambda held: put(0)(LIST),
        lambda held: put(0, 2.0)(LIST),
    ),
    "__call__": of(
        lambda: made(__call__=lambda self, x: x * self.by),
        called,
        attr("by"),
        patched_class("__call__"),
    ),
    "__getattr__": of(
        lambda: kind(__getattr__=lambda self, name: LIST[0])(),
        by,
        lambda held: put(0)(LIST),
        lambda held: put(0, 2.0)(LIST),
    ),
    "descriptor": of(lambda: kind(by=Descriptor())(), by, patched_class("by", 3.0)),
    "object made inside": of(
        lambda: kind(by=2.0, scale=lambda self: self.by),
        lambda held, x: x * held().scale(),
        attr("by"),
        attr("scale", lambda self: 9.0),
    ),
    "iterator in Python": of(Counting, lambda held, x: x * next(held), attr("place", 7)),
    "attribute of a tensor": of(
        lambda: with_by(nn.Parameter(torch.ones(2))), by, attr("by")
    ),
    "parameter of one's own class": of(
        lambda: kind(nn.Parameter, by=2.0)(torch.ones(2)),
        lambda held, x: (x * held * held.by).detach(),
        patched_class("by", 3.0),
        patched_class("__mul__", lambda self, other: other + 9),
    ),
    "shape of a parameter": of(
        lambda: nn.Parameter(torch.ones(2)),
        lambda held, x: x * held.shape[0],
        attr("data", torch.ones(3)),
    ),
    "gradient of a parameter": of(
        lambda: nn.Parameter(torch.ones(2)),
        lambda held, x: x if held.grad is None else x * held.grad,
        lambda held: attr("grad", torch.ones(2) * 5)(held),
        lambda held: held.grad.fill_(6.0),
        attr("grad", None),
    ),
}  # fmt: skip


def scaled(x: Any, scale: float = 2.0, *, more: float = 1.0) -> Any:
    return x * scale * more


def copy_of(function: Any) -> Any:
    """A function of the same code, with defaults of its own."""
    copy = types.FunctionType(function.__code__, globals(), "copy", function.__defaults__)
    copy.__kwdefaults__ = dict(function.__kwdefaults__ or {})
    return copy


def reads_global(x: Any) -> Any:
    return x * NUMBER


def a_module(**inside: Any) -> types.ModuleType:
    module = types.ModuleType("tests_made")
    vars(module).update(inside)
    sys.modules["tests_made"] = module
    return module


def executed(space: dict[str, Any]) -> dict[str, Any]:
    exec("def f(x):\n    return x * by", space)
    return space


def imports(held: Any, x: Any) -> Any:
    import tests_made

    return x * tests_made.by


def imports_from(held: Any, x: Any) -> Any:
    from tests_made import by

    return x * by


FUNCTIONS: dict[str, Case] = {
    "attribute": of(lambda: with_by(copy_of(scaled)), by, attr("by")),
    "code": of(
        lambda: copy_of(scaled), called, attr("__code__", (lambda x, a, *, more: x * 5).__code__)
    ),
    "defaults": of(lambda: copy_of(scaled), called, attr("__defaults__", (3.0,))),
    "keyword defaults": of(
        lambda: copy_of(scaled), called, lambda held: held.__kwdefaults__.update(more=3.0)
    ),
    "list as a default": of(
        lambda: copy_of(lambda x, by=[2.0]: x * by[0]),
        called,
        lambda held: put(0)(held.__defaults__[0]),
    ),
    "list in partial": of(
        lambda: functools.partial(first, [2.0]), called, lambda held: put(0)(held.args[0])
    ),
    "keyword of partial": of(
        lambda: functools.partial(scaled, more=2.0), called, lambda h: h.keywords.update(more=3.0)
    ),
    "state of partial": of(
        lambda: functools.partial(scaled, more=2.0),
        called,
        lambda held: held.__setstate__((scaled, (), {"more": 5.0}, {})),
    ),
    "wrapped": of(
        lambda: (lambda inner: [inner, functools.wraps(by)(lambda x: x * inner[0])])([2.0]),
        lambda held, x: held[1](x),
        lambda held: put(0)(held[0]),
    ),
    "cached": of(
        lambda: (lambda inner: [inner, functools.lru_cache(lambda n: inner[0])])([2.0]),
        lambda held, x: x * held[1](1),
        lambda held: (put(0)(held[0]), held[1].cache_clear()),
    ),
    "dispatched": of(
        lambda: functools.singledispatch(lambda x: x * 2),
        called,
        lambda held: held.register(torch.Tensor, lambda x: x * 3),
    ),
    "method of a dict": of(
        lambda: (lambda inner: [inner, inner.get])({"a": 2.0}),
        lambda held, x: x * held[1]("a"),
        lambda held: put("a")(held[0]),
    ),
    "method of a list": of(
        lambda: [2.0].__getitem__, lambda held, x: x * held(0), lambda held: put(0)(held.__self__)
    ),
    "compiled": of(
        lambda: (lambda inner: [inner, torch.compile(lambda x: x * inner[0])])([2.0]),
        lambda held, x: held[1](x),
        lambda held: put(0)(held[0]),
    ),
    "made by exec": of(
        lambda: executed({"by": 2.0}), lambda held, x: held["f"](x), lambda held: put("by")(held)
    ),
    "attribute of a module": of(lambda: a_module(by=2.0), by, attr("by")),
    "new attribute of a module": of(
        a_module, lambda held, x: x * getattr(held, "by", 1.0), attr("by")
    ),
    "module in a module": of(
        lambda: a_module(inner=a_module(by=2.0)),
        lambda held, x: x * held.inner.by,
        lambda held: attr("by")(held.inner),
    ),
    "function of a module": of(
        lambda: a_module(**executed({"by": 2.0})),
        lambda held, x: held.f(x),
        attr("by"),
        attr("f", lambda x: x * 7),
    ),
    "imported inside": of(lambda: a_module(by=2.0), imports, attr("by")),
    "imported from inside": of(lambda: a_module(by=2.0), imports_from, attr("by")),
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [*CONTAINERS.values(), *OBJECTS.values(), *FUNCTIONS.values()],
    ids=[*CONTAINERS, *OBJECTS, *FUNCTIONS],
)
def test_what_happens_to_an_object_is_followed(case: Case) -> None:
    check(case)


NAMES: dict[str, tuple[Callable[[Any], Any], list[tuple[Any, str, Any]]]] = {
    "a number": (lambda x: x * NUMBER, [(HERE, "NUMBER", 3.0)]),
    "of a function that is called": (lambda x: reads_global(x), [(HERE, "NUMBER", 3.0)]),
    "a function": (lambda x: reads_global(x), [(HERE, "reads_global", lambda x: x * 9)]),
    "not there yet": (lambda x: x * globals().get("LATER", 1.0), [(HERE, "LATER", 3.0)]),
    "hidden": (lambda x: x * abs(-2), [(HERE, "abs", lambda n: 7)]),
    "built in": (lambda x: x * abs(-2), [(vars(builtins), "abs", lambda n: 7)]),
    "of torch": (lambda x: torch.exp(x), [(vars(torch), "exp", lambda x: x * 9)]),
    "of nn.functional": (lambda x: F.relu(x), [(vars(F), "relu", lambda x: x * 9)]),
    "by a path": (lambda x: torch.nn.functional.relu(x), [(vars(F), "relu", lambda x: x * 9)]),
    "of NumPy": (lambda x: x * float(np.prod([2, 3])), [(vars(np), "prod", lambda n: 9)]),
    "of math": (lambda x: x * math.pi, [(vars(math), "pi", 3.0)]),
    "of sys": (lambda x: x * len(sys.argv), [(vars(sys), "argv", ["a"] * 99)]),
    "the environment": (lambda x: x * float(os.environ.get("T", "1")), [(os.environ, "T", "3")]),
    "getenv": (lambda x: x * float(os.getenv("T", "1")), [(os.environ, "T", "3")]),
    "in the environment": (lambda x: x * (2 if "T" in os.environ else 1), [(os.environ, "T", "")]),
}


@pytest.mark.parametrize(("function", "changes"), NAMES.values(), ids=NAMES)
def test_what_a_name_stands_for_is_followed(function: Any, changes: Any, monkeypatch: Any) -> None:
    def case(compile: Any) -> Iterator[Any]:
        compiled = compile(function)
        yield compiled
        for space, name, value in changes:
            with monkeypatch.context() as patch:
                patch.setitem(space, name, value)
                yield compiled
        yield compiled

    check(case)


def test_a_patched_method_of_tensors_is_followed(monkeypatch: Any) -> None:
    def case(compile: Any) -> Iterator[Any]:
        compiled = compile(lambda x: x.exp())
        yield compiled
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "exp", lambda x: x * 9)
            yield compiled
        yield compiled

    check(case)


def test_changed_names_of_a_closure_are_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        number, none, text = 2.0, None, "add"
        if not compile:
            late = 1.0

        def function(x: Any) -> Any:
            try:
                x = x * late
            except NameError:
                x = x * 7
            return getattr(x, text)(number) if none is None else x

        compiled = compile(function)
        yield compiled
        number = 3.0
        yield compiled
        text = "mul"
        yield compiled
        late = 5.0
        yield compiled
        none = True
        yield compiled

    check(case)


def test_what_a_function_changes_itself_is_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        count, log, module = 0, [], nn.Module()
        module.count = 0

        def function(x: Any) -> Any:
            nonlocal count
            count += 1
            log.append(count)
            module.count += 1
            return x * count * len(log) * module.count

        compiled = compile(function)
        yield compiled
        yield compiled

    check(case)


SETTINGS: dict[str, tuple[Any, Any, list[Any]]] = {
    "default type": (
        lambda x: torch.ones(2) * (2 if torch.get_default_dtype() is torch.float64 else 3),
        torch.set_default_dtype,
        [torch.float64, torch.float32],
    ),
    "gradients": (
        lambda x: x * (2 if torch.is_grad_enabled() else 3), torch.set_grad_enabled, [False, True]
    ),
    "deterministic": (
        lambda x: x * (2 if torch.are_deterministic_algorithms_enabled() else 3),
        torch.use_deterministic_algorithms,
        [True, False],
    ),
    "precision": (
        lambda x: x * (2 if torch.get_float32_matmul_precision() == "high" else 3),
        torch.set_float32_matmul_precision,
        ["high", "highest"],
    ),
    "backends": (
        lambda x: x * (2 if torch.backends.cudnn.benchmark else 3),
        lambda on: setattr(torch.backends.cudnn, "benchmark", on),
        [True, False],
    ),
    "seed": (lambda x: x * torch.rand(2), torch.manual_seed, [7, 7]),
}  # fmt: skip


@pytest.mark.parametrize(("function", "set", "values"), SETTINGS.values(), ids=SETTINGS)
def test_settings_are_followed(function: Any, set: Any, values: Any) -> None:
    def case(compile: Any) -> Iterator[Any]:
        compiled = compile(function)
        yield compiled
        for value in values:
            set(value)
            yield compiled

    check(case)


def test_modes_are_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        p = nn.Parameter(torch.ones(2))
        compiled = compile(lambda x: x * (2 if (x * p).requires_grad else 3))
        modes = (
            torch.no_grad(),
            torch.inference_mode(),
            torch.set_grad_enabled(True),
            torch.autograd.set_detect_anomaly(True),
            torch.autocast("cpu", enabled=False),
        )
        for mode in modes:
            yield compiled
            with mode:
                yield compiled
        yield compiled

    check(case)


def test_signs_of_zeros_among_the_arguments_are_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        plain, nested = compile(lambda x, by: x / by), compile(lambda x, by: x / by[0])
        for number in (0.0, -0.0, 1.0, -0.0):
            yield lambda x, n=number: (plain(x, n), nested(x, [n]))

    check(case)


def test_what_happens_to_arguments_is_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        held, layer, function = made(), nn.Linear(2, 2), lambda x: x * LIST[0]
        compiled = compile(
            lambda x, *others: others[2](others[1](x)).detach() * others[0].by * x.by
        )
        x = with_by(torch.ones(2))
        call = lambda _: compiled(x, held, layer, function)  # noqa: E731
        yield call
        x.by = 3.0
        yield call
        held.by = 4.0
        yield call
        layer.bias = None
        yield call
        layer.register_forward_hook(lambda module, args, output: output * 2)
        yield call
        function = lambda x: x * 9  # noqa: E731
        yield call

    check(case)


def test_hooks_of_arguments_are_followed() -> None:
    def gradient(x: Any) -> Any:
        (x * x).sum().backward()
        found, x.grad = x.grad, None
        return found

    def case(compile: Any) -> Iterator[Any]:
        compiled = compile(gradient)
        x, other = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        yield lambda _: compiled(x)
        other.register_hook(lambda grad: grad * 5)
        yield lambda _: compiled(other)
        x.register_post_accumulate_grad_hook(
            lambda tensor: setattr(tensor, "grad", tensor.grad * 3)
        )
        yield lambda _: compiled(x)

    check(case)
