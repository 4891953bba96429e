"""What the tests share: real MNIST where there is some, the GPU mark, Hypothesis profiles."""

import gc
import os
import re
import sys
from pathlib import Path

# Hundreds of processes are started: they find the package compiled to bytecode, whatever is set.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# One thread a test process: the suite runs several of them, and a sum's order stays the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

sys.dont_write_bytecode = False  # the rewritten tests are kept too
threadpool_limits(1)  # NumPy may be there already: the package's plugin loads it

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("ci", max_examples=15, derandomize=True, deadline=None, database=None)
settings.register_profile("thorough", max_examples=500, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def mnist_directory() -> Path:
    """The folder with real MNIST: mnist.pkl.gz and the four IDX files."""
    named = os.environ.get("TINYGRAD_MNIST_DATA")
    directory = Path(named).expanduser() if named else ROOT.parent / "shared" / "data" / "mnist"
    if not (directory / "mnist.pkl.gz").is_file():
        pytest.skip(f"no mnist.pkl.gz in {directory}; TINYGRAD_MNIST_DATA can name its folder")
    return directory


def pytest_collection_finish() -> None:
    """Leaves what is there before the first test, a million objects, out of later collections."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test marked ``cuda`` where PyTorch finds no device."""
    if item.get_closest_marker("cuda") is None:
        return
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and PyTorch finds none")


_EXAMPLES = "hypothesis examples"


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Notes how many examples Hypothesis tried, where it can travel between processes."""
    told = re.findall(r"(\d+) (?:passing|failing)", getattr(item, "hypothesis_statistics", ""))
    if told:
        item.user_properties.append((_EXAMPLES, sum(map(int, told))))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how many examples Hypothesis tried in all."""
    counts = [
        number
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "teardown"
        for name, number in report.user_properties
        if name == _EXAMPLES
    ]
    if counts:
        terminalreporter.write_line(
            f"Hypothesis tried {sum(counts)} examples in {len(counts)} tests"
        )
