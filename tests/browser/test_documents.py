"""Documents show their data, harmless whatever it says, and fetch nothing."""

from __future__ import annotations

import pytest

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
