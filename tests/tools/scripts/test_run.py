"""A script runs as Python would run it, with its imports of torch answered."""

import os
import signal
import subprocess
import sys

import pytest

from tests.processes import started
from tinygrad_mnist.tools import scripts

ABOUT_ITSELF = """
    import sys

    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    import torch.optim as optim
    from torch import Tensor
    from torch.optim import lr_scheduler
    from torch.utils.data import DataLoader, TensorDataset

    print(__name__, sys.argv[1:], __file__ == sys.argv[0])
    print(sys.path[0])
    print(input(), sys.stdin.read())
    print(torch.__name__, torch.__version__, nn.__name__, type(torch.ones(1)))
    print(F is nn.functional is torch.nn.functional, nn.ReLU()(torch.tensor([-1.0, 1.0])))
    print(torch.cuda.is_available(), hasattr(torch, "fft"), isinstance(torch.ones(1), Tensor))
    print(type(nn.Parameter(torch.ones(1))), torch.newaxis)
    sys.exit(7)
"""


def test_a_script_finds_what_python_would_give_it(write, run, tmp_path):
    done = run(write("about.py", ABOUT_ITSELF), "--lr", "0.1", stdin="one\ntwo")
    assert done.stderr == ""
    assert done.returncode == 7
    assert done.stdout.splitlines() == [
        "__main__ ['--lr', '0.1'] True",
        str(tmp_path),
        "one two",
        "torch 2.13.0+tinygrad_mnist torch.nn <class 'torch.Tensor'>",
        "True tensor([0., 1.])",
        "False False True",
        "<class 'torch.nn.parameter.Parameter'> None",
    ]


def test_nothing_changes_in_the_callers_process(write):
    script = write("exits.py", "import torch\nraise SystemExit(5 if torch.ones(1) else 0)\n")
    before = [finder for finder in sys.meta_path if "scripts" in type(finder).__module__]
    assert scripts.run(script) == 5
    assert before == [finder for finder in sys.meta_path if "scripts" in type(finder).__module__]


def test_the_command(write):
    script = write("greets.py", "import sys\nprint('got', sys.argv[1:])\nsys.exit(3)\n")
    command = [sys.executable, "-m", "tinygrad_mnist", "run", script, "--threads", "2", "-x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("got ['--threads', '2', '-x']\n", 3)


def test_a_module_beside_the_script_is_found_and_no_other_torch(write, run):
    write("torch.py", "raise RuntimeError('another torch')\n")
    write("model.py", "from torch import nn\n\n\ndef build():\n    return nn.Linear(2, 1)\n")
    done = run(write("main.py", "import model\nprint(model.build())\n"))
    assert done.stdout == "Linear(in_features=2, out_features=1, bias=True)\n"


def test_ctrl_c_ends_it_with_130(write):
    script = write("waits.py", "import time, torch\nprint('ready', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "tinygrad_mnist", "run", script]
    with started(command) as process:
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == "stopped\n"


def test_a_plot_does_not_wait_for_a_window(write, run):
    pytest.importorskip("matplotlib")
    script = write(
        "plots.py",
        """
        import matplotlib.pyplot as plt
        import torch

        plt.plot(torch.arange(3))
        plt.show()
        plt.savefig("plot.png")
        print("drawn")
        """,
    )
    done = run(script, environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert (done.stdout, done.stderr) == ("drawn\n", "")
    assert (script.parent / "plot.png").read_bytes().startswith(b"\x89PNG")


KEEPS_WEIGHTS = """
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "run.pt")
    save_file(model.state_dict(), "model.safetensors")
    run = torch.load("run.pt", map_location="cpu", weights_only=True)
    print(optimizer.load_state_dict(run["optimizer"]), run["optimizer"]["state"][0]["step"])
    print(model.load_state_dict(run["model"]))
    print(model.load_state_dict(load_file("model.safetensors")))
"""


def test_weights_are_kept_as_scripts_write_it(write, run, run_in_torch):
    script = write("keeps.py", KEEPS_WEIGHTS)
    done, expected = run(script), run_in_torch(script)
    assert done.stderr == ""
    assert done.stdout == expected.stdout
    assert done.stdout.count("<All keys matched successfully>") == 2


ASKS_FOR_A_GPU = """
    import subprocess, sys, torch
    net = torch.nn.DataParallel(torch.nn.Linear(2, 1)).cuda()
    x = torch.ones(3, 2, device="cuda").to("cuda:0").type(torch.cuda.FloatTensor).to(0)
    x = x.type("torch.cuda.DoubleTensor").float()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    net(x).sum().backward()
    end.record()
    with torch.cuda.device(0), torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda.synchronize()
    torch.cuda.current_stream().wait_stream(torch.cuda.default_stream())
    print(torch.device("cuda:0"), x.device, start.elapsed_time(end) > 0, end.query())
    print(torch.cuda.get_device_name(0), torch.cuda.current_device(), torch.cuda.is_available())
    torch.save(net.state_dict(), "w.pt")
    for place in ("cuda", torch.device("cuda", 0), lambda storage, name: storage.cuda(0)):
        print(*torch.load("w.pt", map_location=place))
    torch.set_default_device("cuda")
    other = "import torch; print(torch.ones(2).cuda())"
    print(subprocess.run([sys.executable, "-c", other], capture_output=True, text=True).stdout)
"""


def test_a_gpu_asked_for_by_name_may_be_the_cpu(write, run):
    script = write("gpu.py", ASKS_FOR_A_GPU)
    refused = run(script)
    assert refused.returncode == 1
    assert "tinygrad-mnist run --device cpu" in refused.stderr
    done = run(script, device="cpu")
    assert done.stderr == ""
    names = "module.weight module.bias"
    assert done.stdout.splitlines() == [
        "cpu cpu True True", "CPU 0 False", names, names, names, "tensor([1., 1.])", ""
    ]  # fmt: skip
