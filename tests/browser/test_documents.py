"""Documents show their data, harmless whatever it says, and fetch nothing."""

from __future__ import annotations

import json

import pytest

from tests.browser.conftest import ROOT
from tinygrad_mnist.explainer.output.html import document

HOSTILE = "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>\u2028"


@pytest.mark.parametrize("bundle", ["explain", "training"])
def test_text_in_data_is_shown_as_text(page, tmp_path, bundle):
    path = tmp_path / "page.html"
    path.write_text(document(HOSTILE, bundle, {"title": HOSTILE}), encoding="utf-8")
    page.goto(path.as_uri())
    assert page.text_content("h1") == HOSTILE
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("document.title").startswith("</script>")


def test_the_layout_library_in_a_page_brings_its_licence():
    packages = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))
    version = packages["dependencies"]["@dagrejs/dagre"]
    script = document("", "explain", {}).rpartition("<script>")[2]
    assert script.startswith(f"/*! @dagrejs/dagre {version}\nCopyright (c)")
    assert "Permission is hereby granted, free of charge" in script
