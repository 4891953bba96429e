"""MNIST from the network: mirrors, one address after another, within the time there is.

One file is bounded, retried, resumed, verified, and only then in its place: it is written to a file
of its own, `NAME.RANDOM.part`, so that processes that download at once never meet; when verified it
is renamed to NAME, in one step. When the program is interrupted, what has arrived stays as
`NAME.part`, and the next download goes on from there. A fault leaves nothing.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from stat import S_ISREG
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from tinygrad_mnist.tools.mnist_files import VARIABLE

from . import reading
from .digits import DataError, TransferError
from .reading import IDX_FILES, PICKLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests

T = TypeVar("T")

LIMIT = 32 * 2**20
"""Bytes of the largest file that is accepted; MNIST's largest has 17 million."""

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 15.0
_FIRST_PAUSE = 0.5
_CHUNK = 2**16
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone at the next attempt."""
_ABANDONED_SECONDS = 60.0
"""A part untouched for so long, four read time-outs, belongs to a process that was killed."""
_GRACE_SECONDS = 0.5
"""For work to notice that it was cancelled and to tidy up."""


class Cancelled(Exception):
    """Whoever asked for the download no longer waits for it."""


class _Lost(Exception):
    """This attempt failed, another may not."""


@dataclass(frozen=True)
class Effort:
    """How often to try, whom to tell (name, bytes so far, all bytes if known), when to stop."""

    attempts: int = 4
    report: Callable[[str, int, int | None], None] = lambda name, done, total: None
    cancelled: Event = field(default_factory=Event)


def fetch(url: str, target: Path, check: Callable[[bytes, str], object], effort: Effort) -> None:
    """Puts the file at `url` into `target`, once `check(content, url)` has raised no DataError.

    Raises TransferError if the address does not deliver the file; says why; DataError if the file
    cannot be written; Cancelled if `effort.cancelled` was set meanwhile.
    """
    with _writing(target), _part_of(target) as part:
        for attempt in range(effort.attempts):
            if attempt and effort.cancelled.wait(_FIRST_PAUSE * 2 ** (attempt - 1)):
                raise Cancelled
            try:
                _attempt(url, part, check, effort)
            except _Lost as error:
                fault = error
            else:
                part.replace(target)
                return
        raise TransferError(f"{url}: {fault}.") from fault


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written ({error.strerror}). Make room or give write access "
            f"there, or set TINYGRAD_MNIST_DATA to a folder that holds MNIST."
        ) from error


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """This process's own partial file, begun by an interrupted download where there is one."""
    import secrets

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    kept = target.with_name(f"{target.name}.part")
    for left in (kept, *_abandoned(target)):
        with suppress(OSError):  # where several processes try, one succeeds
            if S_ISREG(left.lstat().st_mode) and left.lstat().st_nlink == 1:
                left.rename(part)
                break
            left.unlink()  # it would be written through it
    try:
        yield part
    except (Cancelled, KeyboardInterrupt):
        if part.exists():
            part.replace(kept)
        raise
    finally:
        part.unlink(missing_ok=True)


def _abandoned(target: Path) -> Iterator[Path]:
    for path in target.parent.glob(f"{target.name}.*.part"):
        try:
            age = time.time() - path.lstat().st_mtime
        except FileNotFoundError:
            continue
        if age > _ABANDONED_SECONDS:
            yield path


def _attempt(url: str, part: Path, check: Callable[[bytes, str], object], effort: Effort) -> None:
    resumed = _receive(url, part, effort)
    try:
        check(part.read_bytes(), url)
    except DataError as error:
        part.unlink()
        if resumed:
            raise _Lost("what had been downloaded before belongs to another file") from error
        raise TransferError(str(error)) from error


def _receive(url: str, part: Path, effort: Effort) -> bool:
    """Asks for what `part` lacks and writes it there; tells whether it had a beginning to keep."""
    import requests
    from urllib3.exceptions import HTTPError

    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    limits = (_CONNECT_SECONDS, _READ_SECONDS)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=limits) as response:
            start = _body_start(response, part, start)
            _write(response, part, start, effort)
    except (requests.RequestException, HTTPError) as error:
        raise _Lost(_reason(error)) from error
    return start > 0


def _body_start(response: requests.Response, part: Path, start: int) -> int:
    """Where in the file the response's body begins: at `start` as asked for, or at 0."""
    status = response.status_code
    if status == 200:
        return 0
    if status == 206:
        if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            return start
        part.unlink(missing_ok=True)
        raise _Lost("sent another part of the file than the one asked for")
    if status == 416:
        part.unlink(missing_ok=True)
        raise _Lost("has no more of the file than what had been downloaded before")
    answer = f"answered {status} {response.reason}"
    if status in _PASSING:
        raise _Lost(answer)
    raise TransferError(f"{response.url}: {answer}.")


def _write(response: requests.Response, part: Path, start: int, effort: Effort) -> None:
    name = response.url.rpartition("/")[2]
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    done = start
    if not start:
        part.unlink(missing_ok=True)
    with part.open("ab" if start else "xb") as file:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            if effort.cancelled.is_set():
                raise Cancelled
            done += len(chunk)
            if max(done, total or 0) > LIMIT:
                raise TransferError(f"{response.url}: sends more than {LIMIT} bytes.")
            file.write(chunk)
            effort.report(name, done, total)
    if total is not None and done != total:
        raise _Lost(f"broke off after {done} of {total} bytes")


def _reason(error: Exception) -> str:
    import requests
    from urllib3.exceptions import ReadTimeoutError

    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "could not prove who it is (TLS)"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return "the connection broke off"


# Where MNIST can be downloaded, and trying one address after another.


@dataclass(frozen=True)
class Mirror:
    """An address, ending in a slash, under which a complete set of files lies."""

    url: str
    files: tuple[str, ...]


_IDX_GZ = tuple(f"{file}.gz" for file in IDX_FILES)
# The IDX files come first: they are smaller than the tutorial's pickle and read faster.
MIRRORS = (
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX_GZ),
    Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", _IDX_GZ),
    Mirror("https://github.com/pytorch/tutorials/raw/main/_static/", (f"{PICKLE}.gz",)),
)


def download(folder: Path, seconds: float | None = None) -> list[Path]:
    """Puts MNIST into `folder`, from the first mirror that has it; returns the files, verified.

    The folder is made if it does not exist. With `seconds` it gives up after so long, with fewer
    attempts an address. Raises DataError if no mirror delivers, the folder cannot be
    written, or the time is up.
    """
    with download_bars() as report:
        if seconds is None:
            return _from_any(folder, Effort(report=report))
        try:
            return within(seconds, lambda given_up: _from_any(folder, Effort(2, report, given_up)))
        except TimeoutError as error:
            raise DataError(
                f"MNIST could not be downloaded within {seconds:g} s; data='mnist' takes the "
                "time it needs."
            ) from error


def _from_any(folder: Path, effort: Effort) -> list[Path]:
    faults = []
    for mirror in MIRRORS:
        try:
            return [_fetch_once(mirror.url + file, folder / file, effort) for file in mirror.files]
        except TransferError as error:
            faults.append(str(error))
    raise DataError(
        "MNIST could not be downloaded:\n  "
        + "\n  ".join(faults)
        + f"\nTry again when online, set {VARIABLE} to a folder that holds mnist.pkl.gz or "
        "the four IDX files, or take data='synthetic' (--data synthetic)."
    )


def _fetch_once(url: str, target: Path, effort: Effort) -> Path:
    """The target, downloaded unless it is there already and right."""
    check = partial(reading.check, target.name.removesuffix(".gz"))
    try:
        check(reading.raw_content(target), str(target))
    except DataError:
        fetch(url, target, check, effort)
    return target


@contextmanager
def download_bars() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yields `report(name, done, total)`, in bytes, which draws a bar for each name.

    Draws nothing unless stderr is a terminal; `NO_COLOR` and `TERM=dumb` are respected.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    text = TextColumn("{task.description}")
    columns = (text, BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        tasks = {}

        def report(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done, total=total)

        yield report


def within(seconds: float, work: Callable[[Event], T]) -> T:
    """The result of `work(cancelled)`, or its exception.

    Time-outs of sockets do not bound the look-up of a name, nor a server that sends a byte at a
    time. So the work runs in a thread that can be left behind.

    Raises TimeoutError if it took longer. The event is set then, and on KeyboardInterrupt; the
    thread, a daemon, ends when it looks at it.

    >>> within(5.0, lambda cancelled: "done")
    'done'
    """
    cancelled = Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(cancelled))
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        for error in errors:
            raise error
        for result in results:
            return result
        raise TimeoutError(f"not done within {seconds:g} s")
    finally:
        cancelled.set()
        thread.join(_GRACE_SECONDS)
