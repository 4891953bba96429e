"""Intel's library for networks: not there; what a script sets is kept and has no effect."""

enabled = True


def is_available() -> bool:
    """Whether the library can be used: no."""
    return False
