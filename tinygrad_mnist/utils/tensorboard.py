"""Figures of a training as TensorBoard's files, through the package `tensorboard`."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NoReturn, Self

import numpy as np

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.names import unsupported

try:
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.plugins.text.metadata import create_summary_metadata as text_metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
except ImportError as error:
    raise ImportError(
        "torch.utils.tensorboard writes its files through the package tensorboard, which is not "
        f"installed in this Python ({error}): pip install tensorboard"
    ) from None

__all__ = ["SummaryWriter"]

_BINS = [1e-12]
while _BINS[-1] * 1.1 < 1e20:
    _BINS.append(_BINS[-1] * 1.1)
_BINS = [*(-edge for edge in reversed(_BINS)), 0, *_BINS]
"""The edges of a histogram's bins: TensorFlow's, each 1.1 times the one before."""


class SummaryWriter:
    """Writes what TensorBoard shows into a folder: `log_dir`, or runs/DATE_HOST`comment`.

    `purge_step` makes TensorBoard forget an earlier run's events from that step on. A tag is the
    name under which values stand; a global step, an integer, is where. Values are numbers, arrays
    or tensors of one element. Use it as a context, or call `close()`.
    """

    def __init__(
        self, log_dir: Any = None, comment: str = "", purge_step: int | None = None,
        max_queue: int = 10, flush_secs: int = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        if not log_dir:
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = log_dir
        self.default_bins = _BINS
        self._settings = max_queue, flush_secs, filename_suffix
        self.all_writers: dict[str, Any] = {}
        if purge_step is not None:
            start = SessionLog(status=SessionLog.START)
            for event in ({"file_version": "brain.Event:2"}, {"session_log": start}):
                self.file_writer.add_event(Event(step=purge_step, wall_time=time.time(), **event))
        self._open()

    def _open(self, folder: str | None = None) -> Any:
        folder = folder or str(self.log_dir)
        if folder not in self.all_writers:
            self.all_writers[folder] = EventFileWriter(folder, *self._settings)
        return self.all_writers[folder]

    def _add(
        self, step: Any, walltime: float | None, folder: str | None = None, **value: Any
    ) -> None:
        """Write a value into the file of a folder."""
        event = Event(
            summary=Summary(value=[Summary.Value(**value)]), step=0 if step is None else int(step),
            wall_time=time.time() if walltime is None else walltime,
        )  # fmt: skip
        self._open(folder).add_event(event)

    def get_logdir(self) -> Any:
        """The folder."""
        return self.log_dir

    @property
    def file_writer(self) -> Any:
        """tensorboard's writer of the folder's own file."""
        return self._open()

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, walltime: float | None = None,
        new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """A number: a point of the curve `tag`."""
        number = _number(scalar_value)
        if not new_style:
            self._add(global_step, walltime, tag=tag, simple_value=number)
            return
        kind = "double" if double_precision else "float"
        written = {f"{kind}_val": [number], "dtype": f"DT_{kind.upper()}"}
        about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
        self._add(global_step, walltime, tag=tag, tensor=TensorProto(**written), metadata=about)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: Any = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Points of several curves in one picture: each is in a folder of its own."""
        walltime = time.time() if walltime is None else walltime
        for tag, value in tag_scalar_dict.items():
            folder = f"{self.log_dir}/{main_tag.replace('/', '_')}_{tag}"
            number = _number(value)
            self._add(global_step, walltime, folder, tag=main_tag, simple_value=number)

    def add_histogram(
        self, tag: str, values: Any, global_step: Any = None, bins: Any = "tensorflow",
        walltime: float | None = None, max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """How values are distributed; `bins` as NumPy's, or TensorFlow's fine ones around 0."""
        edges = self.default_bins if isinstance(bins, str) and bins == "tensorflow" else bins
        histogram = _histogram(_array(values).astype(float).reshape(-1), edges, max_bins)
        self._add(global_step, walltime, tag=tag, histo=histogram)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """An image, whose dimensions are as `dataformats` says: of bytes, or from 0 to 1."""
        from PIL import Image

        pixels = _pixels(_array(img_tensor), dataformats.upper())
        scale = 1 if pixels.dtype == np.uint8 else 255
        pixels = (pixels.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="PNG")
        height, width, channels = pixels.shape
        image = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue()
        )
        self._add(global_step, walltime, tag=tag, image=image)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:  # fmt: skip
        """Images side by side."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_figure(
        self, tag: str, figure: Any, global_step: Any = None, close: bool = True,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A figure of matplotlib, or a list of them."""
        from matplotlib import pyplot
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        drawn = []
        for each in figure if isinstance(figure, list) else [figure]:
            canvas: Any = FigureCanvasAgg(each)
            canvas.draw()
            drawn.append(np.asarray(canvas.buffer_rgba())[:, :, :3])
            if close:
                pyplot.close(each)
        self.add_image(tag, np.stack(drawn), global_step, walltime, dataformats="NHWC")

    def add_text(
        self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """A text in Markdown."""
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(
            dtype="DT_STRING", string_val=[text_string.encode()], tensor_shape=shape
        )
        about = text_metadata("", "")
        self._add(global_step, walltime, tag=f"{tag}/text_summary", tensor=tensor, metadata=about)

    def add_hparams(
        self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list[Any]] | None = None, run_name: str | None = None,
        global_step: Any = None,
    ) -> None:  # fmt: skip
        """A run's settings and what it reached, in a folder of its own."""
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        settings = {
            name: _number(value) if isinstance(value, Tensor) else value
            for name, value in hparam_dict.items()
            if value is not None
        }
        infos = [_setting(name, value, hparam_domain_discrete) for name, value in settings.items()]
        named = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=name)) for name in metric_dict]
        start = plugin_data_pb2.SessionStartInfo()
        for name, value in settings.items():
            setattr(start.hparams[name], f"{_kind(value)}_value", value)
        end = plugin_data_pb2.SessionEndInfo(status="STATUS_SUCCESS")
        experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=named)
        folder = os.path.join(str(self.log_dir), run_name or str(time.time()))
        with SummaryWriter(folder) as writer:
            for tag, content in (
                (metadata.EXPERIMENT_TAG, {"experiment": experiment}),
                (metadata.SESSION_START_INFO_TAG, {"session_start_info": start}),
                (metadata.SESSION_END_INFO_TAG, {"session_end_info": end}),
            ):
                data = plugin_data_pb2.HParamsPluginData(**content)
                writer._add(
                    global_step, None, tag=tag, metadata=metadata.create_summary_metadata(data)
                )
            for tag, reached in metric_dict.items():
                writer.add_scalar(tag, reached, global_step)

    def __getattr__(self, name: str) -> NoReturn:
        raise unsupported(f"utils.tensorboard.SummaryWriter.{name}")

    def flush(self) -> None:
        """Write what waits to the disk."""
        for writer in self.all_writers.values():
            writer.flush()

    def close(self) -> None:
        """Write what waits, and close the files; what is added afterwards opens new ones."""
        for writer in self.all_writers.values():
            writer.close()
        self.all_writers = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


writer = SimpleNamespace(SummaryWriter=SummaryWriter)
"""PyTorch's module of that name."""


def _array(value: Any) -> Array:
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if not isinstance(value, np.ndarray) and not np.isscalar(value):
        raise NotImplementedError(
            f"Got {type(value)}, but numpy array or torch tensor are expected."
        )
    return np.asarray(value)


def _number(value: Any) -> float:
    array = _array(value)
    if array.size != 1:
        raise AssertionError(
            f"Tensor should contain one element (0 dimensions), but has the shape {array.shape}"
        )
    return float(array.item())


def _histogram(values: Array, bins: Any, most: int | None) -> Any:
    """Counts by right edges, from an empty bin on the left to that of the largest value."""
    if values.size == 0:
        raise ValueError("The input has no element.")
    counts, edges = np.histogram(values, bins=bins)
    if most is not None and len(counts) > most:
        group = len(counts) // most
        counts = np.pad(counts, (0, -len(counts) % group)).reshape(-1, group).sum(axis=-1)
        edges = np.append(edges[:-1:group], edges[-1])
    filled = np.flatnonzero(counts)
    start, end = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0)
    counts = counts[start - 1 : end] if start > 0 else np.concatenate([[0], counts[:end]])
    return HistogramProto(
        min=values.min(), max=values.max(), num=len(values), sum=values.sum(),
        sum_squares=values.dot(values), bucket_limit=edges[start : end + 1].tolist(),
        bucket=counts.tolist(),
    )  # fmt: skip


def _pixels(image: Array, form: str) -> Array:
    """An image as height, width, channels; a batch side by side, eight a row; grey thrice."""
    if len(set(form)) != len(form) or len(form) != image.ndim:
        raise AssertionError(
            f"size of input tensor and input format are different: shape {image.shape}, "
            f"input_format {form}"
        )
    full = "NHWC" if len(form) == 4 else "HWC" if len(form) == 3 else "HW"
    image = image.transpose([form.index(letter) for letter in full])
    if full == "HW":
        image = image[..., None]
    if image.shape[-1] == 1:
        image = np.repeat(image, 3, axis=-1)
    if full != "NHWC":
        return image
    count, height, width, channels = image.shape
    columns = min(count, 8)
    rows = -(-count // columns)
    empty = np.zeros((rows * columns - count, height, width, channels), image.dtype)
    cells = np.concatenate([image, empty]).reshape(rows, columns, height, width, channels)
    return cells.swapaxes(1, 2).reshape(rows * height, columns * width, channels)


def _kind(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")
    return "string" if isinstance(value, str) else "number"


def _setting(name: str, value: Any, domains: Mapping[str, Sequence[Any]] | None) -> Any:
    """The name of a setting, its type, and the values that it may have."""
    kind = _kind(value)
    typed = "DATA_TYPE_STRING" if kind == "string" else "DATA_TYPE_FLOAT64"
    info = api_pb2.HParamInfo(name=name, type=typed)
    for choice in (domains or {}).get(name, ()):
        info.domain_discrete.values.add(**{f"{kind}_value": choice})
    return info
