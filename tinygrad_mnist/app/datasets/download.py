"""One file from one address: bounded, retried, resumed, verified, and only then in its place.

A download is written to a file of its own, `NAME.RANDOM.part`, so that processes that
download at once never meet; when verified it is renamed to NAME, in one step. When the program
is interrupted, what has arrived stays as `NAME.part`, and the next download goes on from there.
A fault leaves nothing.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from .errors import DataError, TransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests

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

    def pause(self, seconds: float) -> None:
        """Waits before the next attempt.

        Raises:
            Cancelled: it was cancelled meanwhile.
        """
        if self.cancelled.wait(seconds):
            raise Cancelled


def fetch(url: str, target: Path, check: Callable[[bytes, str], object], effort: Effort) -> None:
    """Puts the file at `url` into `target`, once `check(content, url)` has raised no DataError.

    Raises:
        TransferError: the address does not deliver the file; says why.
        DataError: the file cannot be written.
        Cancelled: `effort.cancelled` was set meanwhile.
    """
    with _writing(target), _part_of(target) as part:
        for attempt in range(effort.attempts):
            if attempt:
                effort.pause(_FIRST_PAUSE * 2 ** (attempt - 1))
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
    _adopt(part, kept, *_abandoned(target))
    try:
        yield part
    except (Cancelled, KeyboardInterrupt):
        if part.exists():
            part.replace(kept)
        raise
    finally:
        part.unlink(missing_ok=True)


def _adopt(part: Path, *left: Path) -> None:
    """Renames one partial file to `part`; where several processes try, one succeeds."""
    for path in left:
        try:
            path.rename(part)
        except OSError:
            continue
        return


def _abandoned(target: Path) -> Iterator[Path]:
    for path in target.parent.glob(f"{target.name}.*.part"):
        try:
            age = time.time() - path.stat().st_mtime
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
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
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
    with part.open("ab" if start else "wb") as file:
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
