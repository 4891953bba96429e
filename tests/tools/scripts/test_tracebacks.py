"""What a person is told when a script fails."""

import pytest

from tinygrad_mnist.tools import scripts

ABSENT = [
    ("import torch.fft", "torch.fft", "numpy.fft"),
    ("from torch import fft", "torch.fft", "numpy.fft"),
    ("torch.fft.fft(torch.ones(3))", "torch.fft.fft", "numpy.fft"),
    ("torch.ones(3).no_such_method(1)", "torch.Tensor.no_such_method", ""),
    (
        "from torch.utils import tensorboard; tensorboard.SummaryWriter('.').add_graph(None)",
        "torch.utils.tensorboard.SummaryWriter.add_graph",
        "explain",
    ),
    ("torch.jit.script(print)", "torch.jit.script", "compile"),
    ("import torch.onnx; torch.onnx.export()", "torch.onnx.export", "safetensors"),
    ("torch.hub.load('a/b', 'c')", "torch.hub.load", "in code"),
    ("import torchvision.tv_tensors", "torchvision.tv_tensors", "plain tensors"),
    ("import torchvision.models.detection", "torchvision.models.detection", "in a picture"),
    ("from torchvision.datasets import CelebA", "torchvision.datasets.CelebA", ""),
    ("import no_such_package.deep", "no_such_package", "not installed"),
]


@pytest.mark.parametrize(("code", "name", "way"), ABSENT)
def test_an_absent_name_is_told_in_a_sentence(code, name, way, write, run):
    done = run(write("job.py", f"import torch\n\n\ndef work():\n    {code}\n\n\nwork()\n"))
    sentence, line = done.stderr.splitlines()
    assert done.returncode == 1
    assert sentence.startswith(f"error: job.py, line 5: {name} ")
    assert way in sentence
    assert line == f"    {code}"


def test_a_script_can_ask_what_there_is(write, run):
    script = write(
        "asks.py",
        """
        import torch

        try:
            import torchvision.tv_tensors
        except ImportError:
            print("no models")
        try:
            from torch import sparse
        except ImportError:
            print("no sparse")
        import torch.onnx
        import torch._dynamo
        import torch.cuda.nccl as nccl
        from torch import jit
        from torch.hub import load_state_dict_from_url
        from torch.jit import load, script

        torch._dynamo.reset()
        @jit.ignore
        def scripted():
            return jit.is_scripting() or jit.is_tracing()

        print(scripted(), hasattr(torch, "sparse_coo_tensor"), nccl.is_available([]))
        """,
    )
    done = run(script)
    assert (done.stdout, done.stderr) == ("no models\nno sparse\nFalse False False\n", "")


FAILS = """
    import torch
    from torch import nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, x):
            return self.linear(x)


    Net()(torch.ones(3, 5))
"""


def test_a_traceback_shows_the_scripts_frames(write, run):
    script = write("fails.py", FAILS)
    done = run(script)
    assert done.returncode == 1
    assert done.stderr.count('File "') == done.stderr.count(f'File "{script}"') == 2
    assert "line 12, in forward" in done.stderr
    *_, error, engine = done.stderr.splitlines()
    assert error.startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied (3x5 and 4x2)")
    assert engine == "(tinygrad_mnist computed this, in PyTorch's place)"


def test_the_engines_frames_are_shown_if_asked_for(write, run):
    done = run(write("fails.py", FAILS), full_traceback=True)
    assert "tinygrad_mnist/nn/modules" in done.stderr


def test_an_error_of_the_scripts_own(write, run):
    done = run(write("fails.py", "import torch\nraise ValueError('mine')\n"))
    assert done.stderr.splitlines()[-1] == "ValueError: mine"
    assert "tinygrad_mnist" not in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("bytes.py", b"\xff\xfe\x00", "is not a text"),
        ("null.py", b"x = 1\0\n", "null bytes"),
        ("broken.ipynb", b"{", "it is not JSON"),
        ("list.ipynb", b"[]", "no list of cells"),
        ("other.ipynb", b'{"cells": [], "metadata": {"language_info": {"name": "R"}}}', "of r"),
        ("prose.md", b"# Nothing to run\n", "no cell of Python"),
    ],
)
def test_a_file_that_cannot_be_run(name, content, sentence, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    assert scripts.run(tmp_path / name) == 1
    told = capsys.readouterr().err
    assert sentence in told
    assert told.startswith("error: ")
    assert told.count("\n") == 1


def test_no_such_file(tmp_path, capsys):
    assert scripts.run(tmp_path / "nowhere.py") == scripts.run(tmp_path) == 1
    absent, folder = capsys.readouterr().err.splitlines()
    assert absent.endswith("(No such file or directory)")
    assert folder.endswith("(Is a directory)")


def test_a_download_without_network(notebook_seed, run, tmp_path):
    done = run(notebook_seed)
    sentence, _ = done.stderr.splitlines()
    assert done.returncode == 1
    assert sentence.startswith("error: cell 1, line 13: https://github.com/pytorch/tutorials/")
    assert "could not be fetched" in sentence
