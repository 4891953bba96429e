"""The pytest plugin: fixtures `parity` and `gradients`, markers, options, a part of the report.

    def test_swish(parity):
        parity(mine.swish, theirs.swish, np.linspace(-3, 3, 7))

    @parametrize_frameworks("torch", "jax")
    def test_gelu(framework, gradients):
        gradients(GELU[framework], np.linspace(-3, 3, 7), framework=framework)

`parity` is `assert_parity` with a seed of its own for each test, so that a run is repeatable and
no two tests see the same numbers, and `gradients` is `check_gradients` likewise, with the options
of `@pytest.mark.gradients`; `@pytest.mark.parity(ulp=2, second_order=True)` gives its
options for one test. `--parity-seed N` fixes the seed of every comparison, the ones that call
`assert_parity` themselves as well: what a failure prints replays it. `--parity-report FILE` writes
what was compared as JSON.

pytest imports this module at every start, wherever the package is installed. That costs what
`import tinygrad_mnist` costs, which is little more than NumPy; PyTorch is loaded by the first
comparison, Hypothesis by the test that uses its strategies.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tinygrad_mnist.tools.gradients.report import GradientReport
    from tinygrad_mnist.tools.parity.parity import Comparison

_PROPERTY = "tinygrad_mnist parity"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --parity-seed and --parity-report."""
    group = parser.getgroup("parity", "gradient parity with PyTorch (tinygrad_mnist)")
    group.addoption(
        "--parity-seed",
        type=int,
        metavar="N",
        help="seed of every comparison with PyTorch; a failure prints the one that replays it",
    )
    group.addoption(
        "--parity-report",
        type=Path,
        metavar="FILE",
        help="write what was compared with PyTorch to FILE, as JSON",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describes the marker, and fixes the seed if one is given."""
    config.addinivalue_line(
        "markers",
        "parity(**options): options of assert_parity for the fixture `parity`, for example "
        "ulp=2, scale='terms', second_order=True",
    )
    config.addinivalue_line(
        "markers",
        "gradients(**options): options of check_gradients for the fixture `gradients`, for example "
        "second_order=True",
    )
    seed = config.getoption("--parity-seed")
    if seed is not None:
        from tinygrad_mnist.tools.parity import parity

        parity.fixed_seed = seed


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leaves no seed behind for another run in the same process."""
    if config.getoption("--parity-seed") is not None:
        from tinygrad_mnist.tools.parity import parity

        parity.fixed_seed = None


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Iterator[Callable[..., Comparison]]:
    """`tinygrad_mnist.testing.assert_parity`, its comparisons listed in the run's report."""
    from tinygrad_mnist.tools.parity.parity import ParityError, assert_parity

    options = _options(request, "parity")
    rows: list[dict[str, Any]] = []

    def compared(fn: Any, torch_fn: Any, *inputs: Any, **more: Any) -> Comparison:
        __tracebackhide__ = True
        try:
            comparison = assert_parity(fn, torch_fn, *inputs, **{**options, **more})
        except ParityError as error:
            rows.append(_row(error.comparison))
            raise
        rows.append(_row(comparison))
        return comparison

    yield compared
    if rows:
        request.node.user_properties.append((_PROPERTY, rows))


@pytest.fixture
def gradients(request: pytest.FixtureRequest) -> Callable[..., GradientReport]:
    """`tinygrad_mnist.testing.check_gradients` with a seed of the test's own."""
    from tinygrad_mnist.tools.gradients.check import check_gradients

    options = _options(request, "gradients")

    def checked(function: Any, *inputs: Any, **more: Any) -> GradientReport:
        __tracebackhide__ = True
        return check_gradients(function, *inputs, **{**options, **more})

    return checked


def _options(request: pytest.FixtureRequest, marker: str) -> dict[str, Any]:
    """What a marker of the test says, and the seed: the one asked for, or the test's own."""
    found = request.node.get_closest_marker(marker)
    options = {} if found is None else dict(found.kwargs)
    given = request.config.getoption("--parity-seed")
    own = zlib.crc32(request.node.nodeid.encode())
    options.setdefault("seed", own if given is None else given)
    return options


def parametrize_frameworks(*names: str) -> pytest.MarkDecorator:
    """Run a test once for each framework, whose name it gets as `framework`.

    One that is not installed, or finds no device, is a skip that says what to do. Raises
    ValueError for a name that no framework has.

    >>> from tinygrad_mnist.testing import parametrize_frameworks
    >>> @parametrize_frameworks("tinygrad_mnist", "numpy")
    ... def test_square(framework, gradients): ...
    """
    from tinygrad_mnist.tools import frameworks

    known = frameworks.known()
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no framework {unknown[0]!r}; there are {', '.join(known)}")
    reasons = {name: known[name].missing() for name in names}
    marks = {name: [pytest.mark.skip(reason=why)] if why else [] for name, why in reasons.items()}
    return pytest.mark.parametrize(
        "framework", [pytest.param(name, marks=marks[name], id=name) for name in names]
    )


def _row(comparison: Comparison) -> dict[str, Any]:
    """What the report says of one comparison, as plain data that can travel between processes."""
    return {
        "seed": comparison.seed,
        "raised": comparison.raised,
        "value_ulp": comparison.worst("values"),
        "gradient_ulp": comparison.worst("gradients"),
        "second_order_ulp": comparison.worst("second") if comparison.second else None,
        "differs": [difference.what for difference in comparison.differences()],
    }


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints, and on demand writes, what was compared with PyTorch."""
    tests = _compared(terminalreporter)
    if not tests:
        return
    target = config.getoption("--parity-report")
    if target is not None:
        from tinygrad_mnist.serialization.files import writing

        target.parent.mkdir(parents=True, exist_ok=True)
        with writing(target) as file:
            file.write(f"{json.dumps(tests, indent=2)}\n".encode())
    terminalreporter.section("parity with PyTorch")
    terminalreporter.write_line(_summary(tests))
    if target is not None:
        terminalreporter.write_line(f"written to {target}")


def _compared(terminalreporter: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows of every test, by its name; they come with its reports, from any process."""
    found = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, rows in getattr(report, "user_properties", ()):
                if name == _PROPERTY:
                    found[report.nodeid] = rows
    return found


def _summary(tests: dict[str, list[dict[str, Any]]]) -> str:
    from tinygrad_mnist.tools.parity.parity import text_table

    heads = ("test", "comparisons", "value ulp", "gradient ulp", "second order ulp", "differs")
    lines = []
    for name, rows in tests.items():
        second = [row["second_order_ulp"] for row in rows if row["second_order_ulp"] is not None]
        wrong = sorted({what for row in rows for what in row["differs"]})
        lines.append((
            name,
            str(len(rows)),
            f"{max(row['value_ulp'] for row in rows):.3g}",
            f"{max(row['gradient_ulp'] for row in rows):.3g}",
            f"{max(second):.3g}" if second else "",
            ", ".join(wrong),
        ))  # fmt: skip
    return text_table(heads, lines)
