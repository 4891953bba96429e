"""A script on both engines: two processes, and what they tell held against each other."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from tinygrad_mnist.tools.scripts import ScriptError, read
from tinygrad_mnist.tools.scripts.running import environment, fresh_python

from .differences import Bounds, Operation, compare_texts, difference
from .engines import Array
from .forks import Fork
from .recorder import Message, receive, send
from .report import ENGINES, Report, Side, Step

__all__ = ["compare_script"]

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def compare_script(
    script: str | os.PathLike[str],
    arguments: Sequence[str] = (),
    *,
    notebook: bool = False,
    seed: int = 0,
    threads: int = 1,
    device: str = "cpu",
    watched_steps: int = 10,
    lockstep: bool = False,
    bounds: Bounds | None = None,
    watch: Callable[[Report], None] | None = None,
) -> Report:
    """Run a PyTorch script on PyTorch and on tinygrad_mnist, and compare what they do.

    Each runs in a fresh process with `threads` threads, from the same `seed` (unless the script
    sets one). Compared are the printed text, every call of `backward` with its loss and the
    gradients of its leaves, every call of `autograd.grad`, the leaves at the end, and the results
    of operations up to the `watched_steps`-th call of `backward`. With `lockstep`, after each
    call of `backward` our leaves and their gradients take PyTorch's numbers, so that differences
    do not add up. If steps differ even so, the script runs once more, and in those steps each
    operation takes them, to find what rounding made choose otherwise. `device`: whether PyTorch
    finds a GPU ("cuda") or none ("cpu"). `watch` is called with the report as it grows, after
    each step.

    Raises:
        ScriptError: the script cannot be read, or PyTorch or its GPU is not there.
    """
    if importlib.util.find_spec("torch") is None:
        raise ScriptError("PyTorch is not installed: pip install 'tinygrad_mnist[reference]'")
    read(Path(script), notebook)
    bounds = bounds or Bounds()
    settings = {"seed": seed, "threads": threads, "device": device, "lockstep": lockstep,
                "arguments": list(arguments)}  # fmt: skip
    options = {**settings, "notebook": notebook, "watched_steps": watched_steps, "looked_at": [],
               "bounds": [bounds.ulp, bounds.absolute]}  # fmt: skip
    report = _compared(Report(os.fspath(script), settings, bounds), options, watch)
    if lockstep and (beyond := report.steps_beyond):
        options |= {"watched_steps": 0, "looked_at": beyond}
        report.again = _compared(Report(report.script, settings, bounds), options, watch)
    return report


def _compared(
    report: Report, options: dict[str, Any], watch: Callable[[Report], None] | None
) -> Report:
    """The report, filled by a run of the script on both engines."""
    with tempfile.TemporaryDirectory(prefix="tinygrad_mnist-") as folder, ExitStack() as stack:
        theirs, ours = (
            stack.enter_context(_process(engine, report.script, options, Path(folder)))
            for engine in ENGINES
        )
        _follow(report, theirs, ours, options["looked_at"], watch)
        _note_ends(report, theirs, ours)
        theirs_printed, ours_printed = (_text(Path(folder) / f"{engine}.out") for engine in ENGINES)
        for side, engine in zip(report.sides, ENGINES, strict=True):
            side.stderr = _text(Path(folder) / f"{engine}.err")
    gpu = options["device"] != "cpu"
    equal = [step.losses for step in report.steps if report.bounds.hold(step.loss)]
    report.texts = compare_texts(theirs_printed, ours_printed, report.bounds, gpu=gpu, losses=equal)
    return report


def _note_ends(report: Report, *processes: subprocess.Popen[bytes]) -> None:
    for side, process in zip(report.sides, processes, strict=True):
        if process.wait() != 0 or not side.ended:
            side.error = side.error or f"its process ended with code {process.returncode}"


@contextmanager
def _process(
    engine: str, script: str | os.PathLike[str], options: dict[str, Any], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """One engine's process, ended at the latest with the `with` block."""
    files = {"stdout": str(folder / f"{engine}.out"), "stderr": str(folder / f"{engine}.err")}
    call = [engine, os.fspath(script), {**options, **files}]
    variables = environment(answered=engine != "torch")
    variables.update(dict.fromkeys(_THREAD_VARIABLES, str(options["threads"])))
    variables.setdefault("PYTHONHASHSEED", str(options["seed"] % 2**32))  # the order of sets
    if options["device"] == "cpu":
        variables["CUDA_VISIBLE_DEVICES"] = ""
    process = subprocess.Popen(
        fresh_python("tinygrad_mnist.tools.compare.recorder", "main", call),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.exists() else ""


class _Events:
    """What a process tells, which may be looked at before it is taken."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._stream = process.stdout
        self._ahead: deque[Message | None] = deque()

    def take(self) -> Message | None:
        """The next; None at the end."""
        return self._ahead.popleft() if self._ahead else receive(self._stream)

    def next_operations(self) -> list[Array]:
        """The results of the operations before the next call of backward."""
        seen = next((each for each in self._ahead if each and _is_backward(each)), None)
        while seen is None:
            self._ahead.append(receive(self._stream))
            last = self._ahead[-1]
            if last is None:
                return []
            seen = last if _is_backward(last) else None
        return seen.arrays[len(seen.arrays) - len(seen.words["operations"]) :]


def _is_backward(event: Message) -> bool:
    return bool(event.words["kind"] == "backward")


def _follow(
    report: Report,
    theirs: subprocess.Popen[bytes],
    ours: subprocess.Popen[bytes],
    looked_at: Sequence[int],
    watch: Callable[[Report], None] | None,
) -> None:
    """Take the events of both, two and two, as long as both have some; then those of one."""
    assert ours.stdin is not None
    events = _Events(theirs), _Events(ours)
    if 1 in looked_at:
        send(ours.stdin, Message({}, events[0].next_operations()))
    while True:
        pair = [side.take() for side in events]
        for side, event in zip(report.sides, pair, strict=True):
            if event is not None:
                _note(side, event)
        if pair[0] is None and pair[1] is None:
            break
        _compare(report, *pair)
        if report.settings["lockstep"] and pair[1] is not None and _is_backward(pair[1]):
            report.forks += [Fork(**fork) for fork in pair[1].words["forks"]]
            _order(ours.stdin, pair[0])
            if report.sides[1].steps + 1 in looked_at:
                send(ours.stdin, Message({}, events[0].next_operations()))
        if watch is not None:
            watch(report)
    if report.sides[0].steps != report.sides[1].steps:
        counts = " and ".join(
            f"{side.steps} on {name}" for side, name in zip(report.sides, ENGINES, strict=True)
        )
        report.odd.append(f"backward was called {counts}")


def _order(stream: IO[bytes], theirs: Message | None) -> None:
    """Tell our process which numbers its leaves are to have."""
    order = Message({"leaves": []}, [])
    if theirs is not None and _is_backward(theirs):
        names, roots = theirs.words["leaves"], theirs.words["roots"]
        order = Message({"leaves": names}, theirs.arrays[roots : roots + 2 * len(names)])
    send(stream, order)


def _note(side: Side, event: Message) -> None:
    words = event.words
    if words["kind"] == "backward":
        side.steps += 1
        side.seconds.append(words["seconds"])
        side.watched.append(words["watched"])
    elif words["kind"] == "end":
        if "fault" in words:
            raise ScriptError(words["fault"])
        side.ended = True
        side.error = words.get("error")
        side.place = words.get("place", "")
        side.exit = words.get("exit")
        side.devices = tuple(words["devices"])


def _compare(report: Report, theirs: Message | None, ours: Message | None) -> None:
    if theirs is None or ours is None or report.parted:
        return
    kind = theirs.words["kind"]
    if kind != ours.words["kind"]:
        report.parted = True
        if "end" in (kind, ours.words["kind"]):
            return
        step = report.sides[0].steps
        report.odd.append(
            f"after step {step}, {ENGINES[0]} goes on with {kind} and {ENGINES[1]} with "
            f"{ours.words['kind']}"
        )
        return
    if report.operations.first is None and (theirs.words["watched"] or ours.words["watched"]):
        report.operations.add(report.sides[0].steps, _operations(theirs), _operations(ours))
    if kind == "backward":
        _compare_step(report, theirs, ours)
    elif kind == "grad":
        results = (each.arrays[: each.words["results"]] for each in (theirs, ours))
        for pair in zip(*results, strict=False):
            report.asked_for.add(report.sides[0].steps + 1, *pair)
    else:
        one, other = (
            dict(zip(each.words["leaves"], each.arrays, strict=False)) for each in (theirs, ours)
        )
        _only_one(report, "at the end", one, other)
        for name in one.keys() & other.keys():
            report.parameters[name] = difference(one[name], other[name])


def _only_one(report: Report, when: str, theirs: dict[str, Array], ours: dict[str, Array]) -> None:
    for engine, names in zip(
        ENGINES, (theirs.keys() - ours.keys(), ours.keys() - theirs.keys()), strict=True
    ):
        if names:
            report.odd.append(f"{when}, {engine} alone has {', '.join(sorted(names))}")


def _operations(event: Message) -> list[Operation]:
    told = event.words["operations"]
    samples = event.arrays[len(event.arrays) - len(told) :]
    return [
        Operation(name, tuple(shape), place, numbers, number)
        for number, ((name, shape, place), numbers) in enumerate(zip(told, samples, strict=True))
    ]


def _compare_step(report: Report, theirs: Message, ours: Message) -> None:
    number = report.sides[0].steps
    parts = []
    for event in (theirs, ours):
        names, roots = event.words["leaves"], event.words["roots"]
        gradients = event.arrays[roots : roots + len(names)]
        parts.append((event.arrays[:roots], dict(zip(names, gradients, strict=True))))
    (their_roots, their_gradients), (our_roots, our_gradients) = parts
    _only_one(report, f"at step {number}", their_gradients, our_gradients)
    pairs = zip(their_roots, our_roots, strict=False)
    found = [report.loss.add(number, one, other) for one, other in pairs]
    loss = max(found, key=lambda each: each.ulp)
    apart = {}
    for name, gradient in their_gradients.items():
        if name in our_gradients:
            if name not in report.gradients:
                report.gradients[name] = type(report.loss)(report.bounds)
            apart[name] = report.gradients[name].add(number, gradient, our_gradients[name])
    losses = (float(their_roots[0].sum()), float(our_roots[0].sum()))
    report.steps.append(Step(number, losses, loss, apart))
