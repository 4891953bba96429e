"""Notebooks run cell by cell and show what each cell shows."""

import re

import pytest

from tinygrad_mnist.tools.scripts.program import python_cells, read, without_magics

CELLS = [
    "import torch\n\nx = torch.ones(2)\nx * 2",
    "x.sum();",
    "x.sum();  # quiet; too",
    "y = None\ny",
    "def double(y):\n    return y * 2\n\n\ndouble(x)\ndisplay(y)\nprint('sum', x.sum())\n'text'",
    "y = double(x)",
    "%matplotlib inline\n!pip install torch\ny",
]
SHOWN = """\
cell 1:
tensor([2., 2.])
cell 5:
None
sum tensor(2.)
'text'
cell 7:
tensor([2., 2.])
"""


def as_markdown(cells):
    return "# Title\n\n" + "\nprose\n\n".join(f"```python\n{cell}\n```\n" for cell in cells)


@pytest.mark.parametrize("name", ["book.ipynb", "book.md", "book.txt"])
def test_each_cells_output_is_shown(name, write, run):
    path = write(name, CELLS if name.endswith("ipynb") else as_markdown(CELLS))
    done = run(path)
    assert done.stdout == SHOWN
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "note: cell 7, line 1: %matplotlib inline is IPython's; skipped",
        "note: cell 7, line 2: !pip install torch is IPython's; skipped",
    ]


def test_an_error_names_cell_and_line(write, run):
    done = run(write("book.ipynb", ["import torch", "x = torch.ones(2)\n\nx @ torch.ones(3)"]))
    assert 'File "book.ipynb, cell 2", line 3' in done.stderr
    assert "x @ torch.ones(3)" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: cell 2, line 3"
    done = run(write("book.ipynb", ["import torch", "1\ntorch.fft"]))
    assert done.stderr.startswith("error: cell 2, line 2: torch.fft is not supported")
    done = run(write("book.ipynb", ["import torch", "x = = 2"]))
    assert done.stderr.splitlines()[-1] == "error: cell 2, line 1"


def test_an_absent_import_matters_only_where_its_names_are_used(write, run):
    unused = "from no_such_package import set_trace\nprint('on')"
    done = run(write("book.ipynb", [unused, "# set_trace()"]))
    assert done.stdout == "cell 1:\non\n"
    assert done.stderr == (
        "note: cell 1, line 1: no_such_package is not installed; no cell uses set_trace, so the "
        "import is passed over\n"
    )
    done = run(write("book.ipynb", [unused, "set_trace()"]))
    assert done.returncode == 1
    assert done.stderr.startswith("error: cell 1, line 1: no_such_package is not installed")


def test_a_figure_belongs_to_its_cell(write, run):
    pytest.importorskip("matplotlib")
    draws = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    done = run(write("book.ipynb", [draws, "plt.get_fignums()"]))
    assert done.stdout == "cell 2:\n[]\n"
    assert done.stderr == (
        "note: cell 1, line 2: draws a figure, which is not shown; plt.savefig keeps it\n"
    )


def test_what_comes_from_the_future_stays(write, run):
    lazy = "def f(x: NoSuchName) -> None: ...\nprint(f.__annotations__)"
    done = run(write("book.ipynb", ["from __future__ import annotations", lazy]))
    assert done.stdout == "cell 2:\n{'x': 'NoSuchName', 'return': 'None'}\n"


def test_a_file_of_any_name_can_be_said_to_be_a_notebook(write, run):
    script = write("book.py", as_markdown(["1 + 1"]))
    assert "SyntaxError" in run(script).stderr
    assert run(script, notebook=True).stdout == "cell 1:\n2\n"


def test_the_notebook_of_the_project_runs_unchanged(notebook_seed, run, tmp_path, mnist_directory):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    (folder / "mnist.pkl.gz").symlink_to(mnist_directory / "mnist.pkl.gz")
    done = run(notebook_seed)
    assert done.returncode == 0, done.stderr
    shown = dict(re.findall(r"^cell (\d+):\n(.*?)(?=^cell|\Z)", done.stdout, re.DOTALL | re.M))
    assert shown["3"] == "(50000, 784)\n"
    assert shown["4"] == "torch.Size([50000, 784])\ntensor(0) tensor(9)\n"
    assert "grad_fn=<SelectBackward0>) torch.Size([64, 10])" in shown["7"]
    assert re.fullmatch(r"tensor\(0\.\d+, grad_fn=<NegBackward0>\) tensor\(1\.\)\n", shown["13"])
    assert re.fullmatch(r"tensor\(2\.\d+, grad_fn=<NllLossBackward0>\)\n", shown["18"])


@pytest.mark.parametrize(
    "fence",
    ["python", "py", "{.python}", "{.python .numberLines}", "{python}", "Python title='x'",
     "{code-cell} ipython3", "{code-cell}", "python3"],
)  # fmt: skip
@pytest.mark.parametrize("mark", ["```", "~~~~"])
def test_fences_that_name_python(fence, mark):
    assert python_cells(f"text\n{mark}{fence}\nx = 1\n{mark}\n") == ["x = 1\n"]


@pytest.mark.parametrize("fence", ["", "text", "sh", "pycon", "json", "{.bash}", "pythonic"])
def test_fences_that_name_something_else(fence):
    assert python_cells(f"```{fence}\nx = 1\n```\n") == []


def test_fences_inside_of_fences_and_lists():
    text = (
        "````text\n```python\nx\n```\n````\n- item\n\n  ```py\n  y = '''\n  ```no\n  '''\n  ```\n"
    )
    assert python_cells(text) == ["y = '''\n```no\n'''\n"]
    assert python_cells("```python\nx = 1\n") == ["x = 1\n"]


@pytest.mark.parametrize(
    ("source", "python", "left_out"),
    [
        ("%%bash\nls\n", "", ["%%bash"]),
        ("\n%%time\nx = 1\n", "\n\nx = 1\n", ["%%time"]),
        ("%time fit()\n", "fit()\n", []),
        ("for i in x:\n    !ls\n", "for i in x:\n    pass\n", ["!ls"]),
        ("torch.relu??\n", "pass\n", ["torch.relu??"]),
        ("a = (5\n% 2)\n", "a = (5\n% 2)\n", []),
        ("s = '''\n%x\n'''\n%ls\n", "s = '''\n%x\n'''\npass\n", ["%ls"]),
        ("a = (5\n% 2)\nx = = 1\n", "a = (5\n% 2)\nx = = 1\n", []),
    ],
)
def test_magics(source, python, left_out):
    code, skipped = without_magics(source)
    assert code == python
    assert [text for _, text in skipped] == left_out


def test_what_a_file_is(write):
    assert not read(write("a.py", "x = 1\n")).is_notebook
    assert not read(write("a.txt", "s = '''\n```python\n```\n'''\n")).is_notebook
    assert read(write("b.txt", "Prose here.\n\n```python\nx\n```\n")).is_notebook
    old = '{"worksheets": [{"cells": [{"cell_type": "code", "input": ["x = ", "1"]}]}]}'
    assert [cell.source for cell in read(write("old.ipynb", old)).cells] == ["x = 1"]
