"""The table of operations: what each computes and its derivatives, from their one definition."""

from __future__ import annotations

import html
from itertools import groupby

from tinygrad_mnist.explainer.formulas import Row, table

ENGLISH = (
    "Operations and their formulas",
    "Each formula is read from the definition of its operation: what it computes from its "
    "docstring, the derivatives from their source. L is what a backward pass starts from, "
    "g = ∂L/∂out the gradient that arrives from above, out the result. Broadcasting, types and "
    "reduced dimensions are no formula's business: the backward pass sees to them. All other "
    "operations are composed of these.",
    ("operation", "what it computes, and its derivatives"),
)
KOREAN = (
    "연산과 공식",
    "공식은 모두 연산의 정의에서 읽은 것입니다. 계산하는 것은 독스트링에서, 미분은 소스 코드에서 "
    "읽었습니다. L은 역전파가 시작되는 값이고, g = ∂L/∂out은 위에서 온 기울기, out은 "
    "결과입니다. 브로드캐스팅, 자료형, 축약된 차원은 공식이 아니라 역전파가 맡습니다. 다른 "
    "연산은 모두 이 연산으로 이루어져 있습니다.",
    ("연산", "계산과 미분"),
)


def pages() -> dict[str, str]:
    """The table in both languages."""
    rows = table()
    return {
        "operations.md": _page(rows, *ENGLISH),
        "operations.ko.md": _page(rows, *KOREAN),
    }


def _page(rows: list[Row], title: str, says: str, columns: tuple[str, ...]) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    parts = [f"# {title}\n\n{says}\n"]
    for subject, group in groupby(rows, key=lambda row: row.subject):
        body = "".join(map(_row, group))
        name = subject.rpartition("/")[2].replace("_", " ")
        parts.append(f"## {name}\n\n`tinygrad_mnist/{subject}.py`\n")
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n")
    return "\n".join(parts)


def _row(row: Row) -> str:
    node = f"<br>{row.grad_fn}" if row.grad_fn else ""
    computes = row.formula.mathml if row.formula else html.escape(row.says)
    lines = [computes, *(formula.mathml for formula in row.derivatives)]
    cell = "".join(f"<div>{line}</div>" for line in lines)
    return f'<tr><th scope="row"><code>{row.name}</code>{node}</th><td>{cell}</td></tr>'
