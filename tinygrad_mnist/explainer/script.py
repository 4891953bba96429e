"""A script explained: run in a process of its own, until the backward pass that was asked for."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NoReturn

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.serialization import files
from tinygrad_mnist.tools.scripts import ScriptError, read
from tinygrad_mnist.tools.scripts.running import call_in_fresh_python, run_notebook

from . import asking
from .explanation import Explanation
from .recording.finishing import finished, loss_of, names_in, remembering
from .recording.frames import program_frames, visible
from .recording.watching import Seen, Watch

__all__ = ["Request", "example", "examples", "explain_script", "rung"]

_EXAMPLES = Path(__file__).resolve().parent / "examples"
_LADDER = Path(__file__).resolve().parents[2] / "reference" / "ladder"
_RUNGS = {1: "logistic", 2: "functional", **dict.fromkeys(range(3, 10), "functional"),
          **dict.fromkeys(range(10, 13), "cnn")}  # fmt: skip
"""The example that stands in for each rung of the ladder, which is not in the wheel."""
_STEP = re.compile(r"^# explain: --step (\d+)$", re.MULTILINE)
FAILED = 1
_HINT = "(tinygrad-mnist explain SCRIPT --why NAME says why, of a variable that backward() is for)"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be made of a script's backward pass."""

    step: int = 1
    exactly: bool = False
    """Whether that step was asked for: without, `why` waits for a pass that fills `.grad`."""
    form: Literal["page", "text", "dot", "json", "why"] = "page"
    output: str | None = None
    """The file to write; None: standard output."""
    goes_on: bool = False
    """Whether the script runs to its end."""
    notebook: bool = False
    why: str = ""
    """For the form "why": which variable's gradient is asked about."""


def examples() -> dict[str, str]:
    """The examples by name, each with what it shows."""
    found = {}
    for path in sorted(_EXAMPLES.glob("*.py")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        found[path.stem] = first.strip('"')
    return found


def example(name: str) -> tuple[Path, int]:
    """An example's script, and which of its backward passes is meant.

    Raises:
        ScriptError: there is none of that name.
    """
    path = _EXAMPLES / f"{name}.py"
    if name not in examples():
        raise ScriptError(f"there is no example {name!r}; there are: {', '.join(examples())}")
    step = _STEP.search(path.read_text(encoding="utf-8"))
    return path, int(step[1]) if step else 1


def rung(number: int) -> Path:
    """The program of a rung of the ladder, or an example of what it does where there is no ladder.

    Raises:
        ScriptError: there is no such rung.
    """
    if number not in _RUNGS:
        raise ScriptError(f"there is no rung {number}: the ladder has rungs 1 to {max(_RUNGS)}")
    programs = sorted(_LADDER.glob(f"rung{number:02}_*.py"))
    return programs[0] if programs else _EXAMPLES / f"{_RUNGS[number]}.py"


def explain_script(script: str | Path, arguments: Sequence[str], request: Request) -> int:
    """Run a script as `tools.scripts.run` does, and explain a backward pass of it.

    What the script prints goes to standard output, or to standard error where the explanation goes
    there. Returns the exit code: 0; 1 where the script fails, or ends before that pass; 130 after
    Ctrl-C.

    Raises:
        ScriptError: the script cannot be read.
    """
    path = Path(script)
    read(path, request.notebook)
    call = [str(path), list(arguments), asdict(request)]
    return call_in_fresh_python(__name__, "main", call)


# In the process that the script runs in


class _Writer:
    """Explains the pass when it is over."""

    def __init__(self, title: str, request: Request, output: int) -> None:
        self.title = title
        self.request = request
        self.output = output
        self.explanation: Explanation | None = None
        self.answered = False
        self.passed_over: tuple[asking.Scopes, Tensor | None] | None = None
        """What the first pass saw that `autograd.grad` asked for."""
        self.process = os.getpid()
        self.watch = Watch(request.step, self.kept)

    def kept(self, seen: Seen) -> None:
        """Explain the pass, and end this process; or write at once, and let the script go on."""
        if os.getpid() != self.process:
            return
        if self.request.form == "why":
            known = [visible(frame) for frame in program_frames()], loss_of(seen)
            if seen.accumulates or self.request.exactly:
                _last(lambda: self.answer(*known))
            self.passed_over = self.passed_over or known
            self.watch.step = self.watch.passes + 1
            return
        found = finished(seen, self.watch, self.title, names_in(program_frames()))
        self.watch.calls.clear()
        compiled = None if self.request.goes_on else self.watch.stack.compiled
        self.explanation = Explanation(found, seen.seconds, compiled)
        if self.request.goes_on:
            self.write(_content(self.explanation, self.request.form))
            return
        with ThreadPoolExecutor(1) as unwatched:
            content = unwatched.submit(_content, self.explanation, self.request.form)
            _last(lambda: self.write(content.result()))

    def answer(
        self, scopes: asking.Scopes, loss: Tensor | None, error: Exception | None = None
    ) -> None:
        """Write why the gradient is as it is that was asked about."""
        self.answered = True
        try:
            text = asking.told(self.request.why, scopes, loss, error)
        except ScriptError as error:
            raise SystemExit(f"error: {error}") from None
        if self.passed_over is not None and loss is not self.passed_over[1]:
            text += (
                f"This is backward pass {self.watch.passes}, the first that fills `.grad`; "
                "`autograd.grad` asked\nfor those before it: --step N asks about one of them.\n"
            )
        self.write(text)

    def answer_at_the_end(self) -> None:
        """Answer without the pass that was waited for, unless just that one was asked for."""
        if not self.request.exactly:
            self.answer(*(self.passed_over or ([vars(sys.modules["__main__"])], None)))

    def write(self, content: str) -> None:
        """Write what was asked for."""
        sys.stdout.flush()
        if self.request.output is None:
            with open(self.output, "w", encoding="utf-8", closefd=False) as file:
                file.write(content)
            return
        try:
            with files.writing(Path(self.request.output)) as page:
                page.write(content.encode())
        except files.WriteError as error:
            raise SystemExit(f"error: {error}") from None
        sys.stderr.write(f"wrote {self.request.output}\n")


def _last(task: Callable[[], None]) -> NoReturn:
    """Do something, and end this process as `sys.exit` does that no `except` of a script's stops.

    What the script has written so far is in its files.
    """
    code = 0
    try:
        task()
    except SystemExit as end:
        sys.stderr.write(f"{end}\n")
        code = FAILED
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 130 if isinstance(error, KeyboardInterrupt) else FAILED
    for each in gc.get_objects():
        if issubclass(type(each), io.TextIOWrapper | io.BufferedWriter):
            with contextlib.suppress(OSError, ValueError):
                each.flush()
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    os._exit(code)


def _content(explanation: Explanation, form: str) -> str:
    if form == "json":
        return json.dumps(explanation.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
    makers = {"page": explanation.html, "text": explanation.text, "dot": explanation.dot}
    return makers[form]()


def main(path: str, arguments: list[str], options: dict[str, object]) -> None:
    """Run the script in this process, which has begun, and explain one backward pass of it."""
    request = Request(**options)  # type: ignore[arg-type]
    output = os.dup(1)
    if request.output is None:
        os.dup2(2, 1)
    program = read(Path(path), request.notebook)
    title = f"{program.path.name}, backward pass {request.step}"
    writer = _Writer(title if request.step > 1 else program.path.name, request, output)
    ended: SystemExit | None = None
    with remembering(), writer.watch:
        try:
            run_notebook(path, arguments, request.notebook, False)
        except SystemExit as end:
            ended = end
        except Exception as error:
            if request.form == "why":
                writer.answer(*asking.scopes_of(error.__traceback__), error)
            elif asking.scopes_of(error.__traceback__)[1] is not None:
                error.add_note(_HINT)
            raise
        if request.form == "why" and not writer.answered:
            writer.answer_at_the_end()
    if ended is not None and isinstance(ended.code, str) and writer.explanation is None:
        raise ended
    if writer.answered:
        return
    if writer.explanation is None:
        raise SystemExit(f"error: {_too_few(program.path.name, request.step, writer.watch.passes)}")
    if ended is not None:
        raise ended


def _too_few(name: str, step: int, passes: int) -> str:
    if not passes:
        return f"{name} ended without a backward pass: nothing called backward() or autograd.grad()"
    times = "once" if passes == 1 else f"{passes} times"
    return f"--step {step}: {name} went backward {times} and ended"
