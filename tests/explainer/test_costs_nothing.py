"""What `explain` needs of the engine costs nothing while nobody explains."""

import dis
import subprocess
import sys

import tinygrad_mnist as torch
from tinygrad_mnist.engine import backward_pass, calls
from tinygrad_mnist.engine.modes import backward_mode


def test_importing_the_package_loads_none_of_it():
    code = (
        "import sys, tinygrad_mnist as torch; torch.ones(1, requires_grad=True).sum().backward();"
        "print([name for name in sys.modules if '.explainer' in name or '.tools' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_calls_and_the_walk_know_nothing_of_explaining():
    """The one place is asked once a pass, and before the walk begins."""
    hot = (calls.call_unary, calls.call_binary, calls.record_call, backward_pass._walk,
           backward_pass.vjp, backward_pass.add, backward_pass.accumulate_grad)  # fmt: skip
    for function in hot:
        read = {each.argval for each in dis.get_instructions(function) if "ATTR" in each.opname}
        assert "walk" not in read


def test_the_usual_walk_is_called_directly(monkeypatch):
    called = []
    walk = backward_pass._walk
    monkeypatch.setattr(backward_pass, "_walk", lambda *a: called.append(a) or walk(*a))
    assert backward_mode.walk is None
    torch.ones(2, requires_grad=True).sum().backward()
    assert len(called) == 1
