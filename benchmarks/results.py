"""A file of results: what was measured, where, and how; its schema lies in results/schema.json."""

from __future__ import annotations

import json
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
NEW = FOLDER.parents[1] / "build"
"""Where a run writes to, unless it is told otherwise: the pages are made from FOLDER."""
SCHEMA = FOLDER / "schema.json"
VERSION = 1
SIZES = ("small", "large")
"""Of operations."""

_FOUND = ("limits", "jobs", "operations", "costs", "passes", "accuracy")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|\\u00[0189][0-9a-f]", re.IGNORECASE)
"""Characters that control a terminal, as they stand in JSON or escaped."""

Report = dict[str, Any]


def begin(machine: dict[str, Any], threads: int, rounds: int) -> Report:
    """A report of which everything is known but the figures."""
    return {
        "version": VERSION,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": threads,
        "rounds": rounds,
        "machine": machine,
        "limits": {},
        "jobs": {},
        "operations": [],
        "costs": [],
        "passes": [],
        "accuracy": [],
    }


def take_over(report: Report, path: Path) -> None:
    """Keep what a file holds already, if there is one, until it is measured again.

    Raises:
        ValueError: it is of another machine, or of another number of threads.
    """
    if path.exists():
        old = read(path)
        same = ("processor", "versions")
        if any(old["machine"][key] != report["machine"][key] for key in same):
            raise ValueError(
                f"{path} is of another machine or other versions: name another file by --output"
            )
        if old["threads"] != report["threads"]:
            raise ValueError(
                f"{path} is of {old['threads']} threads: name another file by --output"
            )
        report |= {key: found for key, found in old.items() if key in _FOUND}


def file_name(report: Report) -> str:
    """DATE-MACHINE-THREADS.json, of letters that every system allows."""
    processor = re.sub(r"[^a-z0-9]+", "-", report["machine"]["processor"].lower()).strip("-")
    return f"{report['date'][:10]}-{processor or platform.machine()}-{report['threads']}.json"


def write(report: Report, path: Path) -> None:
    """Check against the schema, then write; nothing half written stays."""
    check(report, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    aside.replace(path)


def read(path: Path) -> Report:
    """The report of a file.

    Raises:
        ValueError: the file is no JSON, or not what the schema says; the message tells where.
    """
    try:
        text = path.read_text(encoding="utf-8")
        report = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if _CONTROL.search(text):
        raise ValueError(f"{path} holds characters that control a terminal")
    check(report, str(path))
    found: Report = report
    return found


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def check(report: Any, told: str) -> None:
    """Raise ValueError where a report is not what the schema says."""
    import jsonschema

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    for error in validator.iter_errors(report):
        raise ValueError(f"{told}, at {error.json_path}: {error.message[:200]}")
