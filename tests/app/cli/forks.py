"""`tinygrad-mnist explain` run many times by one process, which has imported the package once.

Each run is a fork of it, in which the script runs where the command would start a fresh Python.
"""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_SERVER = """
import json, os, sys
import tinygrad_mnist
from tinygrad_mnist.app.cli.app import app
from tinygrad_mnist.explainer import script
from tinygrad_mnist.tools.scripts import running

class Begin(BaseException):
    pass

def begin(module, function, arguments):
    raise Begin(arguments)

script.call_in_fresh_python = begin
tinygrad_mnist.explain(tinygrad_mnist.nn.Linear(2, 1), tinygrad_mnist.ones(1, 2)).text()
for line in sys.stdin:
    process = os.fork()
    if process == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
else:
    os._exit(0)
folder, arguments, outputs = json.loads(line)
for at, name in enumerate(outputs, 1):
    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), at)
os.chdir(folder)
try:
    app(arguments, prog_name="tinygrad-mnist")
except Begin as found:
    call, = found.args
running.begin(json.dumps({"threads": None, "full_traceback": False}))
script.main(*call)
"""


@dataclass
class Done:
    """How a run ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def forking(folder):
    """A function that runs the command with arguments in a folder, each time in a new fork."""
    outputs = [folder / "stdout", folder / "stderr"]
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        pipes: Any = server

        def run(where, arguments):
            for each in outputs:
                each.unlink(missing_ok=True)
            request = [str(where), ["explain", *arguments], [str(each) for each in outputs]]
            pipes.stdin.write(json.dumps(request) + "\n")
            pipes.stdin.flush()
            code = int(pipes.stdout.readline())
            return Done(code, *[each.read_text(encoding="utf-8") for each in outputs])

        yield run
        pipes.stdin.close()
