"""The rungs of the ladder, run in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tinygrad_mnist.app.datasets import synthetic

ROOT = Path(__file__).resolve().parents[2]
LADDER = ROOT / "reference" / "ladder"
RUNGS = sorted(path.stem for path in LADDER.glob("rung*.py"))
REWRITTEN = [RUNGS[:3], RUNGS[3:7], RUNGS[9:]]
"""Rungs that compute the same from the same start, and differ only in how they are written."""

IN_TORCH = ()
ON_OUR_ENGINE = ("-m", "tinygrad_mnist", "run")

_CLIMB = """
import contextlib, io, json, runpy, sys
import torch

torch.backends.cudnn.allow_tf32 = False
folder, names, arguments = json.loads(sys.argv[1])
sys.path[0] = folder
for name in names:
    sys.argv = [name, *arguments]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        runpy.run_path(f"{folder}/{name}.py", run_name="__main__")
    print(json.dumps([name, output.getvalue()]))
"""


def save_digits(file, rows):
    """A file of digits in the form that --data takes; the paper is clean, as MNIST's is."""
    images, labels = synthetic.draw(2 * rows)
    images = np.where(images > 64, images, 0)
    x, y = images.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)
    np.savez(file, x_train=x[:rows], y_train=y[:rows], x_valid=x[rows:], y_valid=y[rows:])


def climb(engine, digits, *arguments):
    """What each rung prints, by name; all in one process, which is faster than one for each.

    On a GPU convolutions keep all digits of float32, as they do on the CPU.
    """
    script = digits.with_name("climb.py")
    script.write_text(_CLIMB, encoding="utf-8")
    task = json.dumps([str(LADDER), RUNGS, ["--data", str(digits), "--epochs", "2", *arguments]])
    done = subprocess.run(
        [sys.executable, *engine, script, task],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(map(json.loads, done.stdout.splitlines()))
