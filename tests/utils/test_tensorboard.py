"""What a SummaryWriter writes is what PyTorch's writes: files, tags and values."""

import sys
import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours

pytest.importorskip("tensorboard", reason="the files are tensorboard's")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from torch.utils.tensorboard import SummaryWriter as Theirs

    from tinygrad_mnist.utils.tensorboard import SummaryWriter as Ours

VALUES = np.random.default_rng(0).standard_normal((5, 3, 4, 6)).astype("float32")


def write(engine, kind, folder):
    """Some of everything."""
    x = engine.tensor(VALUES)
    with kind(folder, purge_step=3, filename_suffix=".mine") as writer:
        for step in range(3):
            writer.add_scalar("loss/train", x[step, 0, 0, 0], step, walltime=10.0 + step)
        writer.add_scalar("plain", 2, new_style=True)
        writer.add_scalar("double", np.float64(0.1), 1, 5.0, True, True)
        writer.add_scalars("both/of", {"a": 1.0, "b": x[0, 0, 0, 0]}, 4, 5.0)
        writer.add_histogram("weights", x, 1, walltime=5.0)
        writer.add_histogram("few", VALUES[0], 1, "auto", 5.0, max_bins=3)
        writer.add_image("chw", x[0], 2, 5.0)
        writer.add_image("hw", (x[0, 0] * 99).to(engine.uint8), dataformats="HW")
        writer.add_images("grid", x, 1)
        writer.add_text("note", "**Gäste**", 7)
        writer.flush()
        run = {"lr": 0.1, "bs": 3, "net": "mlp", "on": True, "t": x[0, 0, 0, :1]}
        writer.add_hparams(run, {"acc": 0.5}, {"net": ["mlp", "cnn"]}, "run")
        assert writer.get_logdir() == folder


def hyperparameters(value):
    """What the hparams plugin keeps in a value, parsed: a map's bytes have no fixed order."""
    plugin = value.metadata.plugin_data
    if plugin.plugin_name != "hparams":
        return None
    parsed = HParamsPluginData.FromString(plugin.content)
    plugin.content = b""
    return parsed


def read(folder):
    """By file: the values that its events hold, without what differs from run to run."""
    files = {}
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        events = files[str(path.parent.relative_to(folder))] = []
        assert path.parent != folder or path.name.endswith(".mine")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = list(EventFileLoader(str(path)).Load())
        for event in loaded:
            walltime = event.wall_time if event.wall_time < 100 else None
            for value in event.summary.value:
                parsed = hyperparameters(value)
                events.append((event.step, walltime, parsed, value))
            events.append((event.step, event.session_log.status, event.file_version))
    return files


@pytest.mark.filterwarnings("ignore")
def test_the_files_are_pytorchs(tmp_path):
    write(ours, Ours, str(tmp_path / "ours"))
    write(torch, Theirs, str(tmp_path / "theirs"))
    have, want = (read(tmp_path / name) for name in ("ours", "theirs"))
    assert list(have) == list(want)
    for folder in have:
        assert len(have[folder]) == len(want[folder])
        for mine, theirs in zip(have[folder], want[folder], strict=True):
            assert mine == theirs


def test_what_is_refused(tmp_path):
    with Ours(tmp_path) as writer:
        assert not hasattr(writer, "add_video")
        with pytest.raises(
            ours.names.Unsupported, match=r"SummaryWriter\.add_graph is not supp.*expl"
        ):
            writer.add_graph(None)
        with pytest.raises(NotImplementedError, match="numpy array or torch tensor are expected"):
            writer.add_scalar("a", [1.0])
        with pytest.raises(AssertionError, match="should contain one element"):
            writer.add_scalar("a", ours.ones(2))
        with pytest.raises(AssertionError, match="input format are different"):
            writer.add_image("a", ours.ones(2))
        with pytest.raises(ValueError, match="no element"):
            writer.add_histogram("a", ours.ones(0))
        with pytest.raises(ValueError, match="should be one of int"):
            writer.add_hparams({"a": object()}, {})


def test_without_tensorboard(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "tinygrad_mnist.utils.tensorboard")
    with pytest.raises(
        ImportError, match=r"not installed in this Python .*pip install tensorboard"
    ):
        import tinygrad_mnist.utils.tensorboard  # noqa: F401
