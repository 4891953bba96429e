"""docs/parity.md is what the report wrote of the table as it is: every row, and their totals."""

import re
from pathlib import Path

from tinygrad_mnist.tools.parity.report import counted
from tinygrad_mnist.tools.parity.table import OPERATIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "parity.md").read_text(encoding="utf-8")
CELLS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| operation")
]
*ROWS, TOTALS = CELLS


def test_it_lists_every_public_operation_by_all_its_names():
    told = [re.findall(r"`([^`]+)`", row[0]) for row in ROWS]
    assert told == [list(row.names) for row in OPERATIONS if row.public]


def test_its_totals_are_those_of_its_rows():
    assert TOTALS[0] == f"**{len(ROWS)} operations**"
    for column, between in ((1, r"\+"), (5, "/")):
        pairs = [re.split(rf"\s*{between}\s*", row[column]) for row in ROWS if row[column]]
        sums = [str(sum(map(int, numbers))) for numbers in zip(*pairs, strict=True)]
        assert re.split(rf"\s*{between}\s*", TOTALS[column]) == sums
    for column in (2, 3, 4):
        worst = max(float(row[column].replace("∞", "inf")) for row in ROWS if row[column])
        assert float(TOTALS[column].replace("∞", "inf")) == worst


def test_nothing_differs():
    assert [row[0] for row in CELLS if row[6]] == []


def test_its_count_of_primitives_is_the_registry_s():
    told = re.search(r"There are (\d+) primitives: (\d+) with formulas", PAGE)
    assert told is not None
    assert [int(number) for number in told.groups()] == [
        counted()["all"], counted()["differentiable"]
    ]  # fmt: skip
