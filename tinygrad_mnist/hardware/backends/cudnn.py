"""NVIDIA's library for networks: not there; what a script sets is kept and has no effect."""

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether the library can be used: no."""
    return False


def version() -> int | None:
    """The library's version: None, for it is not there."""
    return None
