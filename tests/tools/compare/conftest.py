"""What the tests of comparing share: writing a script."""

import textwrap

import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a script in the test's folder."""

    def write(name, content):
        path = tmp_path / name
        path.write_text(textwrap.dedent(content), encoding="utf-8")
        return path

    return write
