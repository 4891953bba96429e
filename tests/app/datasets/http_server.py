"""A server on loopback that misbehaves to order."""

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers a request by the next behaviour in the script, properly once that is empty."""

    server: "Server"
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        content = self.server.files.get(self.path)
        behave = self.server.script.pop(0) if self.server.script else serve
        if content is None:
            self.send_error(404)
            return
        with suppress(ConnectionError):  # the client may have left
            behave(self, content)

    def head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


Behaviour = Callable[[Handler, bytes], None]


class Server(ThreadingHTTPServer):
    """Serves `files` (path to content); `asked` lists what was asked for, with its Range."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.script: list[Behaviour] = []
        self.asked: list[tuple[str, str | None]] = []
        self.released = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


def serve(handler: Handler, content: bytes) -> None:
    match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if match is None:
        ignore_range(handler, content)
        return
    start, size = int(match[1]), len(content)
    if start >= size:
        handler.head(416, 0, Content_Range=f"bytes */{size}")
        return
    handler.head(206, size - start, Content_Range=f"bytes {start}-{size - 1}/{size}")
    handler.wfile.write(content[start:])


def ignore_range(handler: Handler, content: bytes) -> None:
    handler.head(200, len(content))
    handler.wfile.write(content)


def without_length(handler: Handler, content: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(content)


def wrong_range(handler: Handler, content: bytes) -> None:
    handler.head(206, len(content), Content_Range=f"bytes 0-{len(content) - 1}/{len(content)}")
    handler.wfile.write(content)


def cut_off(after: int) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        handler.head(200, len(content))
        handler.wfile.write(content[:after])

    return behave


def stall(after: int) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        handler.head(200, len(content))
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        handler.server.released.wait(30)

    return behave


def status(code: int) -> Behaviour:
    def behave(handler: Handler, _: bytes) -> None:
        handler.head(code, 0)

    return behave
