"""Unpacking what may be gzip-compressed, without believing it about its size."""

import zlib

from .errors import DataError

_MAGIC = b"\x1f\x8b"


def unpack(raw: bytes, name: str, limit: int) -> bytes:
    """`raw`, or what it unpacks to if it starts as gzip does; `name` is for messages.

    Raises:
        DataError: it is cut off or damaged, or holds more than `limit` bytes.

    >>> import gzip
    >>> unpack(gzip.compress(b"digits"), "a file", limit=100)
    b'digits'
    """
    content = _gunzip(raw, name, limit) if raw.startswith(_MAGIC) else raw
    if len(content) > limit:
        raise DataError(f"{name}: holds more than the {limit} bytes that MNIST can; replace it.")
    return content


def _gunzip(raw: bytes, name: str, limit: int) -> bytes:
    """At most one byte over the limit, so that a small bomb never becomes a large array."""
    import gzip
    from io import BytesIO

    try:
        with gzip.GzipFile(fileobj=BytesIO(raw)) as stream:
            return stream.read(limit + 1)
    except EOFError as error:
        raise DataError(f"{name}: is cut off; replace it by the whole file.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: is a damaged gzip file ({error}); replace it.") from error
