"""A person's own script timed on both engines, eager and compiled, and where its time goes."""

from .race import bench_script
from .report import Report, Row

__all__ = ["Report", "Row", "bench_script"]
