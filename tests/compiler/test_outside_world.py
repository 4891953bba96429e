"""Time, chance and files are never frozen: what reads them runs uncompiled, and says so."""

from __future__ import annotations

import contextvars
import copy
import datetime
import io
import itertools
import json
import os
import pathlib
import random
import secrets
import subprocess
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
import pytest

import tinygrad_mnist as torch

pytestmark = pytest.mark.usefixtures("plain")

HERE = pathlib.Path(__file__)
LEGACY, MODERN, OWN = np.random.RandomState(0), np.random.default_rng(0), random.Random(0)
VARIABLE = contextvars.ContextVar("VARIABLE", default=1.0)
FILE = HERE.open("rb")
COUNT, CYCLE = itertools.count(), itertools.cycle([1, 2])
GENERATED = (number for number in range(100))


class Holder:
    generator = np.random.default_rng(1)

    def __init__(self) -> None:
        self.iterator = iter(range(100))


HOLDER = Holder()


@pytest.fixture(autouse=True, scope="module")
def closed() -> Iterator[None]:
    yield
    FILE.close()


def deeper() -> float:
    return time.time()


READS: dict[str, Callable[[], Any]] = {
    "random.random": lambda: random.random(),
    "random.choice": lambda: random.choice([1, 2]),
    "random.gauss": lambda: random.gauss(0, 1),
    "random.shuffle": lambda: random.shuffle([1, 2]) or 1,
    "random, called by C": lambda: sum(map(random.uniform, [1.0], [2.0])),
    "Random": lambda: OWN.random(),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "np.random.rand": lambda: float(np.random.rand()),
    "np.random.permutation": lambda: int(np.random.permutation(3)[0]),
    "RandomState": lambda: float(LEGACY.rand()),
    "Generator": lambda: float(MODERN.normal()),
    "Generator of a class": lambda: float(HOLDER.generator.random()),
    "default_rng": lambda: float(np.random.default_rng().random()),
    "time.time": lambda: time.time(),
    "time.perf_counter": lambda: perf_counter(),
    "time.strftime": lambda: int(time.strftime("%S")),
    "time, deeper": lambda: deeper(),
    "datetime.now": lambda: datetime.datetime.now().second,
    "date.today": lambda: datetime.date.today().day,
    "os.urandom": lambda: os.urandom(1)[0],
    "os.getpid": lambda: os.getpid(),
    "os.listdir": lambda: len(os.listdir(HERE.parent)),
    "os.stat": lambda: HERE.stat().st_size,
    "secrets": lambda: secrets.randbelow(5),
    "uuid1": lambda: uuid.uuid1().int % 7,
    "uuid4": lambda: uuid.uuid4().int % 7,
    "open": lambda: len(HERE.open().readline()),
    "read_text": lambda: len(HERE.read_text()),
    "fromfile": lambda: len(np.fromfile(HERE, np.uint8)),
    "an open file": lambda: len(FILE.readline()),
    "input": lambda: int(input()),
    "stdin": lambda: int(sys.stdin.readline()),
    "subprocess": lambda: len(subprocess.check_output([sys.executable, "-c", ""])),
    "context variable": lambda: VARIABLE.get(),
    "iterator": lambda: next(COUNT),
    "iterator in a loop": lambda: next(number for number in CYCLE),
    "generator": lambda: next(GENERATED),
    "iterator of an object": lambda: next(HOLDER.iterator),
    "initial_seed": lambda: torch.initial_seed() % 7,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_reads_the_world_runs_uncompiled(read: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n2\n3\n"))
    compiled = torch.compile(lambda x: x * float(read()))
    with pytest.warns(UserWarning, match="runs uncompiled") as told:  # noqa: PT031
        compiled(torch.ones(1))
        compiled(torch.ones(1))
    (warning,) = [each for each in told if each.category is UserWarning]
    assert __file__ in str(warning.message)


FOLLOWED: dict[str, Callable[[], Any]] = {
    "a generator with a seed": lambda: float(np.random.default_rng(0).random()),
    "text": lambda: len(os.path.join("a", "b")),
    "json": lambda: json.loads("[1]")[0],
    "a file in memory": lambda: len(io.StringIO("text").read()),
    "a fixed time": lambda: datetime.datetime(2000, 1, 2).day,
    "the environment": lambda: len(os.environ.get("PATH", "")),
}


@pytest.mark.parametrize("read", FOLLOWED.values(), ids=FOLLOWED)
def test_what_only_looks_so_is_compiled(read: Any, traces: list[int]) -> None:
    compiled = torch.compile(lambda x: x * float(read()))
    for _ in range(3):
        assert compiled(torch.ones(1)).item() == pytest.approx(read())
    assert len(traces) == 1
    assert compiled.source


class Data:
    """What a function may reach and never read, and what it may."""

    def __init__(self) -> None:
        self.x, self.parts, self.rest = LARGE, [LARGE], iter([1.0])
        self.scale = 2.0


LARGE = np.ones(1 << 17)
DATA = Data()
READ: dict[str, Callable[[], Any]] = {
    "an attribute": lambda: DATA.x[0],
    "by its name": lambda: getattr(DATA, "".join("x"))[0],
    "all attributes": lambda: vars(DATA)["x"][0],
    "what holds it": lambda: DATA.parts[0][0],
    "an iterator": lambda: next(DATA.rest, 1.0),
    "a copy": lambda: copy.copy(DATA).x[0],
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_large_arrays_are_an_obstacle_where_they_are_read(read: Any) -> None:
    with pytest.warns(UserWarning, match="DATA_\\w+ is an"):
        assert torch.compile(lambda x: x * DATA.scale * float(read()))(torch.ones(1)) == 2


def test_large_arrays_that_are_never_read_are_no_obstacle(traces: list[int]) -> None:
    def step(batch: Any) -> Any:
        return (batch.x * DATA.scale).sum()

    compiled = torch.compile(lambda x: step(types.SimpleNamespace(x=x)))
    for scale in (2.0, 2.0, 3.0):
        DATA.scale = scale
        assert compiled(torch.ones(2)).item() == 2 * scale
    assert compiled.source
    assert len(traces) == 2
    assert "x" not in vars(Data)


def test_random_numbers_go_on_as_in_eager_mode() -> None:
    def drawn(compile: Any) -> Any:
        random.seed(0)
        np.random.seed(0)
        function = compile(lambda x: x * random.random() + np.random.rand())
        return [function(torch.ones(1)).item() for _ in range(3)]

    with pytest.warns(UserWarning, match="a random number is read"):
        found = drawn(torch.compile)
    assert found == drawn(lambda function: function)


def test_a_profiler_goes_on_after_tracing() -> None:
    seen = []
    sys.setprofile(lambda frame, event, given: seen.append(event))
    try:
        torch.compile(lambda x: x * 2)(torch.ones(1))
        seen.clear()
        deeper()
    finally:
        sys.setprofile(None)
    assert "c_call" in seen
