"""The wheel holds the package alone, and works where nothing but its requirements is installed."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

IMPORT_EVERY_MODULE = """
import importlib, pkgutil, tinygrad_mnist
from tinygrad_mnist.kernels import dispatch

dispatch.prepare = lambda: None  # which would compile what is only to be imported
extras = ("testing", "tools.parity", "tools.vision", "utils.tensorboard")
needs_extras = tuple(f"tinygrad_mnist.{name}" for name in extras)
for module in pkgutil.walk_packages(tinygrad_mnist.__path__, "tinygrad_mnist."):
    if not module.name.startswith(needs_extras) and not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
print(tinygrad_mnist.__file__)
"""

LOAD_THE_COMMAND = """
from importlib.metadata import entry_points

(command,) = entry_points(group="console_scripts", name="tinygrad-mnist")
print(callable(command.load()))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from this checkout."""
    pytest.importorskip("hatchling", reason="to build the wheel without a network needs hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    run(sys.executable, *build, folder=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and what it requires, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    bases = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=bases))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (installed,) = distributions(path=[str(packages)])
    for path in top_level(required(installed)):
        (packages / path.name).symlink_to(path)
    return Path(sysconfig.get_path("scripts", "venv", vars=bases)) / "python"


def required(installed: Distribution) -> list[Distribution]:
    """What the distribution requires with no extra, and what that requires in turn."""
    found: dict[str, Distribution] = {}
    waiting = list(installed.requires or ())
    while waiting:
        requirement = Requirement(waiting.pop())
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and requirement.name not in found:
            found[requirement.name] = distribution(requirement.name)
            waiting.extend(found[requirement.name].requires or ())
    return list(found.values())


def top_level(installed: Iterable[Distribution]) -> set[Path]:
    """The files and folders that the distributions put into site-packages."""
    names = {
        (Path(str(each.locate_file(file.parts[0]))))
        for each in installed
        for file in each.files or ()
        if file.parts[0] not in ("..", "__pycache__")
    }
    return {path for path in names if path.exists()}


def run(python: str | Path, *arguments: str, folder: Path) -> str:
    """What Python prints when it is run in the folder; a failure shows its error."""
    command = [python, *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_wheel_holds_the_package_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    assert {name for name in folders if not name.endswith(".dist-info")} == {"tinygrad_mnist"}
    assert "tinygrad_mnist/py.typed" in names
    assert "tinygrad_mnist/__init__.py" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_every_module_imports_with_the_requirements_alone(python, tmp_path):
    file = Path(run(python, "-I", "-c", IMPORT_EVERY_MODULE, folder=tmp_path).strip())
    assert python.parent.parent in file.parents


def test_the_command_is_installed(python, tmp_path):
    assert run(python, "-I", "-c", LOAD_THE_COMMAND, folder=tmp_path).strip() == "True"
