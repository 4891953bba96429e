"""The size meter counts lines, and tells what is too large."""

from checks import size


def test_what_is_too_large_is_told(tmp_path):
    room = tmp_path / "tinygrad_mnist" / "core"
    room.mkdir(parents=True)
    (tmp_path / "tinygrad_mnist" / "__init__.py").touch()
    (room / "__init__.py").touch()
    (room / "record.py").write_text("def f():\n" + "    x = 1\n" * 60 + "y = 1\n" * 740)
    for number in range(30):
        (tmp_path / "tinygrad_mnist" / f"loose{number}.py").touch()
    assert size.by_room(tmp_path)["core"] == (801, 2)
    told = "\n".join(size.over(tmp_path))
    assert "core: 801 lines, at most 300" in told
    assert f"the first level: 32 entries, at most {size.ENTRIES}" in told
    assert "record.py: 801 lines, at most 800" in told
    assert "record.py: f: 61 lines, at most 50" in told
