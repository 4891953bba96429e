"""Explained backward passes: pages that `tinygrad-mnist explain` makes, shown in pages of the site.

A page asks for one in a comment, `<!-- explained: square: Two paths meet at a. -->`: the name of an
example of the package, or `rung-04`, and what there is to see. A picture before it stands in for
the pass where pages are read in the repository.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.explainer import script
from tinygrad_mnist.tools.scripts.import_hook import unanswered
from tinygrad_mnist.tools.scripts.running import call_in_fresh_python

from .pages import DOCS, KOREAN, PAGES, uri

ASKED = re.compile(
    r"(?:^!\[[^\]]*\]\([^)]*\)\n\n)?^<!-- explained: (?P<name>[\w-]+): (?P<says>.+?) -->$",
    re.MULTILINE | re.DOTALL,
)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHAIN_RULE = ("import tinygrad_mnist as torch", "products = w * x", "\nloss.backward()")
"""What marks the blocks of the page on the chain rule that make its program."""
ROWS = 256
FORK = multiprocessing.get_context("fork")
PROCESSES = 2
"""So many passes are explained at a time."""
RUNG = "rung-"
LINKS = {False: ("Full size", "in words"), True: ("크게 보기", "글로 보기")}


def asked() -> dict[str, list[Path]]:
    """The names of the passes that pages ask for, and the pages."""
    found: dict[str, list[Path]] = {}
    for page in PAGES:
        for match in ASKED.finditer(page.read_text(encoding="utf-8")):
            found.setdefault(match["name"], []).append(page)
    return found


def shown(page: Path, text: str) -> str:
    """The text of a page, with frames for the passes that it asks for."""
    korean = page.is_relative_to(KOREAN)
    folder = os.path.relpath("explained", os.path.dirname(uri(page)))
    large, in_words = LINKS[korean]

    def frame(match: re.Match[str]) -> str:
        says = " ".join(match["says"].split())
        link = f"{folder}/{match['name']}"
        source = f"../{link}" if korean else link
        words = "" if match["name"].startswith(RUNG) else f", [{in_words}]({link}.txt)"
        return (
            f'<figure class="explained" markdown>\n'
            f'<iframe src="{source}.html" title="{says}" loading="lazy"></iframe>\n'
            f"<figcaption markdown>{says} [{large}]({link}.html){words}</figcaption>\n</figure>"
        )

    return ASKED.sub(frame, text)


def write(names: Iterable[str], folder: Path, scratch: Path) -> None:
    """Writes the pages of these passes into a folder; those of examples in words, too."""
    folder.mkdir(parents=True)
    images, labels = synthetic.draw(2 * ROWS)
    pixels = (images.reshape(-1, 784) / 256).astype(np.float32)
    data = {"x_train": pixels[:ROWS], "y_train": labels[:ROWS].astype(np.int64)}
    data |= {"x_valid": pixels[ROWS:], "y_valid": labels[ROWS:].astype(np.int64)}
    np.savez(scratch / "digits.npz", **data)
    (scratch / "chain_rule.py").write_text(_chain_rule(), encoding="utf-8")

    wanted = [(name, "page", ".html") for name in names]
    wanted += [(name, "text", ".txt") for name in names if not name.startswith(RUNG)]
    calls = []
    for name, form, suffix in wanted:
        program, step, arguments = _program(name, scratch)
        request = script.Request(step=step, form=form, output=str(folder / f"{name}{suffix}"))
        calls.append([str(program), arguments, asdict(request)])
    if call_in_fresh_python(__name__, "explain_all", [calls]):
        raise SystemExit("a backward pass of the site's pages is not explained")


def explain_all(calls: list[list[Any]]) -> None:
    """Explains passes, each in a process of its own, in a Python whose `import torch` is answered.

    PyTorch, with which gradients are compared, is imported once for all.
    """
    with unanswered():
        importlib.import_module("torch")
    waiting = [FORK.Process(target=_explain, args=call, name=call[0]) for call in calls]
    running: list[Any] = []
    while waiting or running:
        while waiting and len(running) < PROCESSES:
            running.append(waiting.pop(0))
            running[-1].start()
        connection.wait([process.sentinel for process in running])
        for process in [each for each in running if not each.is_alive()]:
            running.remove(process)
            if process.exitcode:
                raise SystemExit(f"{process.name}: its backward pass is not explained")


def _explain(program: str, arguments: list[str], request: dict[str, object]) -> None:
    """Explains a pass, which ends this process; what the program prints is for nobody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    script.main(program, arguments, request)


def _program(name: str, scratch: Path) -> tuple[Path, int, list[str]]:
    """The script of a pass, which backward call of it is meant, and the script's arguments."""
    if name == "rung-00":
        return scratch / "chain_rule.py", 1, []
    if name.startswith(RUNG):
        data = ["--data", str(scratch / "digits.npz"), "--epochs", "1"]
        return script.rung(int(name.removeprefix(RUNG))), 1, data
    return *script.example(name), []


def _chain_rule() -> str:
    """The program of the page on the chain rule: its own blocks."""
    text = (DOCS / "tutorial" / "00-chain-rule.md").read_text(encoding="utf-8")
    found = [
        code for code in BLOCK.findall(text) if any(mark in f"\n{code}" for mark in CHAIN_RULE)
    ]
    return "\n".join(found)
