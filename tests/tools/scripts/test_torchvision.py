"""`import torchvision` in a script: which one answers, and what it does on this engine."""

SCRIPT = """
    import torch
    from torch.utils.data import DataLoader, Dataset
    from torchvision import datasets, transforms
    from torchvision.transforms import v2
    from torchvision.utils import make_grid, save_image
    import torchvision.transforms.functional as TF

    def digest(tensor):
        return f"{tuple(tensor.shape)} {tensor.double().sum().item():.4f}"

    torch.manual_seed(3)
    noise = datasets.FakeData(6, (3, 20, 24), 4)
    assert isinstance(noise, Dataset)
    for change in (
        transforms.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5),
        transforms.RandomCrop(16, padding=2),
        transforms.RandomRotation(20),
        transforms.Resize((9, 30)),
        transforms.Grayscale(3),
        v2.RandomResizedCrop(8),
    ):
        noise.transform = transforms.Compose([
            change, transforms.ToTensor(), transforms.RandomHorizontalFlip(),
            transforms.Normalize((0.5,), (0.25,)), transforms.RandomErasing(0.5, value="random"),
        ])
        for images, labels in DataLoader(noise, batch_size=3, shuffle=True):
            print(labels.tolist(), digest(images))
    for change in (v2.Resize(7), v2.Pad(2, 0.5, "constant"), v2.Resize(9, antialias=False)):
        print(change, digest(change(images)))
    save_image(images, "grid.png", normalize=True)
    print(digest(make_grid(images)), TF.to_pil_image(images[0]).size, noise)
"""
BROKEN = "raise RuntimeError('operator torchvision::nms does not exist')"
FALLS_BACK = """
from tinygrad_mnist.tools.scripts.import_hook import answer_torchvision_imports
answer_torchvision_imports()
import torchvision.transforms
print(torchvision.__version__, torchvision.datasets.MNIST.__module__)
try:
    from torchvision import tv_tensors
except ImportError as error:
    print(error)
"""


def test_a_script_gets_pytorchs_numbers(write, run, run_in_torch, tmp_path):
    """The same script, with the same data sets and transforms, on PyTorch."""
    script = write("job.py", SCRIPT)
    done = run(script)
    assert done.returncode == 0, done.stderr
    (tmp_path / "grid.png").rename(tmp_path / "ours.png")
    hook = "from tinygrad_mnist.tools.scripts import import_hook as hook\n"
    start = write(
        "torch_job.py",
        hook + "hook.answer_torchvision_imports()\n" + SCRIPT.replace("\n    ", "\n"),
    )
    theirs = run_in_torch(start)
    assert done.stdout == theirs.stdout, theirs.stderr
    assert (tmp_path / "grid.png").read_bytes() == (tmp_path / "ours.png").read_bytes()


def test_a_module_of_ones_own_is_taken(write, run):
    write("torchvision.py", "models = 'mine'")
    done = run(write("job.py", "from torchvision import models\nprint(models)\n"))
    assert (done.stdout, done.stderr) == ("mine\n", "")


def test_what_is_installed_but_broken(write, run, run_in_torch, tmp_path):
    """An installed torchvision is never run on this engine; on PyTorch only if it works."""
    package = tmp_path / "site" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BROKEN)
    (tmp_path / "site" / "torchvision-9.dist-info").mkdir()
    place = f"import sys\nsys.path.insert(0, {str(package.parent)!r})\n"
    done = run(write("job.py", place + "import torchvision\nprint(torchvision.__version__)\n"))
    assert (done.stdout, done.stderr) == ("0.28.0+tinygrad_mnist\n", "")
    found = run_in_torch(write("torch_job.py", place + FALLS_BACK))
    assert found.stdout, found.stderr
    version, refusal = found.stdout.splitlines()
    assert version == "0.28.0+tinygrad_mnist torchvision.datasets.mnist"
    assert refusal.startswith("torchvision.tv_tensors is not supported by tinygrad_mnist: tr")
    assert (
        "torchvision is installed, but cannot be imported (RuntimeError: operator" in found.stderr
    )
    (package / "__init__.py").write_text(
        "__version__ = 'works'\ndatasets = transforms = tv_tensors = 1\n"
    )
    (package / "transforms.py").touch()
    works = FALLS_BACK.replace(", torchvision.datasets.MNIST.__module__", "")
    assert run_in_torch(write("works.py", place + works)).stdout == "works\n"


METRICS = """
import torch
from torch.jit import ScriptModule
from torch.utils.hooks import RemovableHandle
torch._C._log_api_usage_once("torchmetrics")
handle = torch.nn.ReLU().register_forward_hook(print)
told = isinstance(handle, RemovableHandle), isinstance(torch.nn.ReLU(), ScriptModule)
"""


def test_an_installed_package_that_works_here_is_run(write, run, tmp_path):
    package = tmp_path / "site" / "torchmetrics"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(METRICS)
    (tmp_path / "site" / "torchmetrics-1.dist-info").mkdir()
    place = f"import sys\nsys.path.insert(0, {str(package.parent)!r})\n"
    done = run(write("job.py", place + "import torchmetrics\nprint(torchmetrics.told)\n"))
    assert (done.stdout, done.stderr) == ("(True, False)\n", "")
