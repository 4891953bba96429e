"""One self-contained HTML document: data, style and script inside, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from importlib import resources
from typing import Any

_DOCUMENT = """\
<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="app"></main>
<noscript>This page needs JavaScript. It fetches nothing.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
_UNSAFE = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}


def document(
    title: str, bundle: str, data: dict[str, Any], lang: str = "en", deflated: bool = False
) -> str:
    """The document that shows `data` by the script and style called `bundle`.

    The page needs no server and no network: its content security policy forbids both. Data is
    escaped, so that no text in it can end the element that holds it; `deflated` it takes less room.

    Raises:
        ValueError: `data` holds a number that JSON does not know (NaN, infinity).

    >>> from tinygrad_mnist.explainer.output.html import document
    >>> "</script><b>" in document("A title", "explain", {"title": "</script><b>"})
    False
    """
    script, style = _read(f"{bundle}.js"), _read(f"{bundle}.css")
    policy = "; ".join([
        "default-src 'none'", f"script-src {_digest(script)}", f"style-src {_digest(style)}",
        "img-src data: blob:", "base-uri 'none'", "form-action 'none'",
    ])  # fmt: skip
    packed = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if deflated:
        packed = json.dumps({"deflated": deflate(packed.encode())})
    return _DOCUMENT.format(
        lang=lang, policy=policy, title=html.escape(title), style=style,
        data=packed.translate(_UNSAFE), script=script,
    )  # fmt: skip


def deflate(content: bytes) -> str:
    """Bytes as pages hold them: deflated, in base64."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(content) + packer.flush()).decode()


def _read(name: str) -> str:
    """A file of the bundle, which is built from `web/`."""
    return (
        resources.files(__package__.rpartition(".")[0])
        .joinpath("bundle", name)
        .read_text(encoding="utf-8")
    )


def _digest(text: str) -> str:
    """What a content security policy calls an inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
