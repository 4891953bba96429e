"""What the machine is, and what else it does now."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["describe"]

_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "amx_tile", "asimd", "sve")


def describe(packages: Iterable[str]) -> dict[str, Any]:
    """Processor, its instructions, cores, governor, load, system and versions of packages.

    >>> describe(["no such package"])["versions"]
    {'no such package': 'not installed'}
    """
    cpu = _text(Path("/proc/cpuinfo"))
    model = re.search(r"model name\s*:\s*(.+)", cpu)
    flags = re.search(r"(?:flags|Features)\s*:\s*(.+)", cpu)
    names = set(flags[1].split()) if flags else set()
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "instructions": [name for name in _FLAGS if name in names],
        "cores": os.cpu_count(),
        "governor": _text(governor).strip() or "not told",
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
