"""What the theme leaves out for a screen reader."""

from __future__ import annotations

from typing import Any

SEARCH = {"en": "Search", "ko": "검색"}


def on_post_page(output: str, *, config: Any, **_: Any) -> str:
    """Names the dialog of the search."""
    label = SEARCH[config.theme["language"]]
    return output.replace('role="dialog"', f'role="dialog" aria-label="{label}"')
