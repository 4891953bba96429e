"""The worked examples of CONTRIBUTING run, in a process of their own, and print what they show."""

import re
import subprocess
import sys

from tests.docs.pages import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def test_the_worked_examples():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("```python\n") == 5
    program = "\n".join(code for code, _ in blocks)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(output for _, output in blocks)
