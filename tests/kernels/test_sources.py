"""What an edit in the source makes compiled anew: what names it, by whatever way, and no more."""

import shutil

import pytest

from tinygrad_mnist.kernels import dispatch, native_code, sources
from tinygrad_mnist.kernels.loop import Loop

LOOPS = [
    "compiler.loops.products.few_columns", "compiler.loops.products.blas",
    "compiler.loops.scalars.exp", "compiler.loops.scalars.add", "kernels.batch_last.convolve",
    "kernels.losses._nll_loss_loop", "compiler.loops.steps.steps",
]  # fmt: skip
SHORT = [name.rpartition(".")[2] for name in LOOPS]
EDITS = {
    "a part of a loop of another file": (
        "kernels/products.py", "    rows, depth = a.shape\n    whole", {"few_columns"}),
    "an instruction": ("kernels/simd.py", "        return builder.load(_p", {
        "few_columns", "convolve"}),
    "a constant": ("kernels/team.py", "_FEW: Final = 8", {"few_columns", "blas", "convolve"}),
    "what has no name": ("compiler/loops/products.py", "out.dtype), out.dtype", {
        "few_columns", "blas"}),
    "a function imported by its name": ("kernels/register_tiles.py", "len(rows), 16)", {
        "convolve"}),
    "a constant reached by its module": (
        "kernels/softmax.py", "LOG2_E = 1.44", {"exp"}),
    "options": ("compiler/loops/scalars.py", '"reassoc"', {"add"}),
    "the loop over steps": ("compiler/loops/steps.py", "done[0] += 1", {"steps"}),
    "documentation": ("kernels/products.py", '"""Matrix products', set()),
    "how a loop is declared": ("kernels/dispatch.py", "return declare", set()),
}  # fmt: skip


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the source, which may be changed."""
    for name in ("kernels", "compiler/loops"):
        shutil.copytree(sources.ROOT / name, tmp_path / name)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    yield tmp_path
    forget()


def forget():
    sources.digest.cache_clear()
    sources._read.cache_clear()


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_concerns_what_names_it(edit, root):
    def digests():
        forget()
        return {short: sources.digest(name) for short, name in zip(SHORT, LOOPS, strict=True)}

    before = digests()
    assert len({*before.values()}) == len(LOOPS)
    name, there, concerned = EDITS[edit]
    text = (root / name).read_text()
    assert there in text
    (root / name).write_text(text.replace(there, f"{there}  # edited"))
    assert {short for short, digest in digests().items() if digest != before[short]} == concerned


def test_every_loop_has_its_source():
    dispatch.prepare()
    loops = [
        loop for names in dispatch._MODULES.values() for loop in names.values()
        if isinstance(loop, Loop)
    ]  # fmt: skip
    assert len({*loops}) > 50
    for function in (*[loop.py_func for loop in loops], *[part for part, _ in dispatch._PARTS]):
        module = function.__module__.removeprefix("tinygrad_mnist.")
        assert f"def {function.__name__}(" in sources._read(module).blocks[function.__name__]
        assert native_code.stamp_of(function) == sources.digest(f"{module}.{function.__name__}")
    for loop in loops:
        assert len(loop.signatures) == len(loop.dtypes)
