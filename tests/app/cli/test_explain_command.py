"""`tinygrad-mnist explain`: scripts and examples, the page and the other forms, and its errors."""

import contextlib
import json
import os
import signal
import sys
import time

import pytest

import tinygrad_mnist as torch
from tests.app.cli.forks import forking
from tests.explainer.data import check
from tests.explainer.programs import EXAMPLES
from tests.processes import started
from tinygrad_mnist.explainer import script as explaining
from tinygrad_mnist.explainer.asking import told
from tinygrad_mnist.explainer.recording.finishing import remembering
from tinygrad_mnist.tools.scripts import ScriptError

SCRIPT = """
import sys
import torch

x = torch.tensor([1.0, 2.0], requires_grad=True)
for factor in range(1, 4):
    loss = (x * factor).sum()
    loss.backward()
    print("after", factor, sys.argv[1:])
"""


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    with forking(tmp_path_factory.mktemp("outputs")) as run:
        yield run


@pytest.fixture
def explain(forks, tmp_path):
    """Runs the command in a folder of the test's."""

    def run(*arguments, text=SCRIPT):
        (tmp_path / "fit.py").write_text(text, encoding="utf-8")
        return forks(tmp_path, arguments)

    return run


def test_a_scripts_second_pass_in_words(explain, tmp_path):
    done = explain("fit.py", "--step", "2", "--text", "-o", "pass.txt", "--", "--seed", "3")
    assert done.stdout == "after 1 ['--seed', '3']\n"
    assert done.stderr == f"wrote {tmp_path / 'pass.txt'}\n"
    assert done.returncode == 0
    text = (tmp_path / "pass.txt").read_text(encoding="utf-8")
    assert text.startswith("fit.py, backward pass 2\n  x: float32 2 = [1, 2]\n")
    assert "  x.grad = [3, 3] (before: [1, 1])\n" in text


def test_data_goes_to_standard_output_alone_and_the_script_runs_on(explain):
    done = explain("fit.py", "--json", "--continue")
    data = json.loads(done.stdout)
    check(data)
    assert data["sources"] == [{"name": "fit.py", "text": SCRIPT.rstrip("\n")}]
    assert [node["name"] for node in data["nodes"]] == ["x", None, None, "loss"]
    assert data["scopes"] == []  # one round of a loop is no box
    assert done.stderr.count("after") == 3
    assert done.returncode == 0
    compared = [node["gradient"]["checks"]["pytorch"] for node in data["nodes"][2:]]
    assert compared == [None, None] or all(check["ok"] for check in compared)


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (SCRIPT, ("--step", "4"), "error: --step 4: fit.py went backward 3 times and ended\n"),
        ("print('no')", (), "error: fit.py ended without a backward pass: nothing called backw"),
    ],
)
def test_what_went_wrong_is_one_sentence(explain, tmp_path, text, arguments, said):
    done = explain("fit.py", *arguments, text=text)
    assert said in done.stderr
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["fit.py"]


CUT = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))

def train(x):
    hidden = model[0](x).detach()
    loss = (model[1](hidden)**2).mean()
    loss.backward()

train(torch.ones(4, 2))
"""


@pytest.mark.parametrize(
    ("text", "name", "cause", "code"),
    [
        (CUT, "model.0.weight", "cut in fit.py, line 8 (`hidden = model[0](x).detach()`)", 0),
        (CUT, "model", "2 of 4 parameters (0.weight, 0.bias): No gradient reaches", 0),
        (CUT.replace("model[1](hidden)", "hidden"), "model", "2 of 4 parameters", 1),
        (CUT.replace("loss.backward()", "pass"), "model", "backward() was never called", 0),
    ],
)
def test_why_a_gradient_is_missing(explain, text, name, cause, code):
    done = explain("fit.py", "--why", name, text=text)
    assert cause in done.stdout.replace("\n", " ")
    assert done.returncode == code
    assert ("does not require grad" in done.stderr) == bool(code)


class Ended(BaseException):
    """In place of the end of the process."""


def penalised():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    x = torch.tensor([3.0], requires_grad=True)
    (slope,) = torch.autograd.grad((w * x).sum(), x, create_graph=True)
    (slope**2).sum().backward()


def asked_for_slopes_only():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    torch.autograd.grad((w * 2).sum(), w)


@pytest.mark.parametrize(
    ("program", "step", "said"),
    [
        (penalised, None, ("Nothing is wrong", "This is backward pass 2, the first that fills")),
        (penalised, 1, ("`autograd.grad` in", "was asked for the gradient of other tensors only")),
        (penalised, 9, ()),
        (asked_for_slopes_only, None, ("which `autograd.grad` returns",)),
    ],
)
def test_why_waits_for_a_pass_that_fills_grad(program, step, said, tmp_path, monkeypatch):
    def last(task):
        task()
        raise Ended

    monkeypatch.setattr(explaining, "_last", last)
    page = tmp_path / "why.txt"
    request = explaining.Request(
        step=step or 1, exactly=step is not None, form="why", output=str(page), why="w"
    )
    writer = explaining._Writer("fit.py", request, 1)
    with contextlib.suppress(Ended), remembering(), writer.watch:
        program()
        writer.answer_at_the_end()
    text = " ".join(page.read_text(encoding="utf-8").split()) if page.exists() else ""
    assert [each for each in said if each not in text] == []
    assert bool(text) == writer.answered == bool(said)


def test_why_where_backward_failed():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = w * 2
    with remembering():
        try:
            loss.backward()
        except RuntimeError as error:
            said = told("w", [locals()], loss, error)
    assert said.startswith("backward() ended with an error before it began: grad can be")


def test_a_backward_that_fails_points_to_why(explain):
    done = explain("fit.py", text=CUT.replace("model[1](hidden)", "hidden"))
    assert "does not require grad" in done.stderr
    assert "tinygrad-mnist explain SCRIPT --why NAME says why" in done.stderr
    assert done.returncode == 1


def test_why_of_what_is_not_there(explain):
    done = explain("fit.py", "--why", "weight", text=CUT)
    assert done.stderr == (
        "error: --why weight: no tensor or module is called so there; these are: hidden, loss, "
        "model, x\n"
    )
    assert (done.returncode, done.stdout) == (1, "")


def test_ctrl_c_ends_it(tmp_path):
    (tmp_path / "slow.py").write_text("import time\nprint('on', flush=True)\ntime.sleep(60)\n")
    with started(
        [sys.executable, "-m", "tinygrad_mnist", "explain", "slow.py"], cwd=tmp_path
    ) as process:
        assert process.stdout.readline() == "on\n"
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "stopped\n")
    assert not (tmp_path / "explain.html").exists()


STUBBORN = """
import atexit, torch
log = open("log.txt", "w")
log.write("half a line")
atexit.register(print, "at exit")
while True:
    try:
        print("step")
        (torch.tensor(2.0, requires_grad=True) * 3).backward()
    except BaseException:
        print("caught")
    finally:
        print("finally")
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--text", "-o", "pass.txt"), 0, "wrote"),
        (("--text", "-o", "/dev/full"), 1, "error: /dev/full: cannot be written"),
        (("--why", "log", "-o", "why.txt"), 1, "error: --why log: no tensor or module"),
    ],
)
def test_no_script_goes_on_after_its_pass(explain, tmp_path, arguments, code, said):
    done = explain("fit.py", *arguments, text=STUBBORN)
    assert (done.stdout, done.returncode) == ("step\nat exit\n", code)
    assert done.stderr.startswith(said)
    assert (tmp_path / "log.txt").read_text() == "half a line"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere/page.html", "its folder does not exist; create it first"),
        ("/proc/page.html", "its folder takes no files"),
        ("/proc/self/page.html", "its folder takes no files"),
        ("/proc/nowhere/page.html", "its folder does not exist; create it first"),
    ],
)
def test_a_file_that_cannot_be_written_is_found_first(command, path, reason):
    if not os.path.isdir("/proc/self"):
        pytest.skip("there is no /proc")
    done = command("explain", "--example", "square", "-o", path)
    assert done.exit_code == 1
    assert f"{path}: cannot be written ({reason})." in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected a script, or --example NAME, or --rung N"),
        (("--example", "square", "--text", "--dot"), "expected one of --text, --dot, --json"),
        (("--example", "square", "--text", "--open"), "--open shows the page"),
        (("--example", "square", "fit.py"), "expected one of a script, --example NAME and --rung"),
        (("--example", "square", "--rung", "3"), "expected one of a script, --example NAME and"),
        (("--bogus",), "No such option: --bogus"),
    ],
)
def test_options_that_contradict_each_other(command, arguments, said):
    done = command("explain", *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_examples_and_rungs_are_named(command):
    listed = command("explain", "--list").output.splitlines()
    assert [line.split()[0] for line in listed] == list(EXAMPLES)
    assert "error: there is no example 'nope'" in command("explain", "--example", "nope").output
    assert "error: there is no rung 13" in command("explain", "--rung", "13").output
    assert {explaining.rung(number).exists() for number in range(1, 13)} == {True}


def test_rungs_are_examples_where_there_is_no_ladder(monkeypatch, tmp_path):
    monkeypatch.setattr(explaining, "_LADDER", tmp_path)
    found = [explaining.rung(number).stem for number in (1, 2, 9, 10)]
    assert found == ["logistic", "functional", "functional", "cnn"]
    with pytest.raises(ScriptError, match="there is no rung 0"):
        explaining.rung(0)
