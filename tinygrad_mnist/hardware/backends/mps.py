"""Computing on Apple's GPUs: not there."""


def is_available() -> bool:
    """Whether a GPU can be used: no."""
    return False


def is_built() -> bool:
    """Whether the engine could use a GPU: no."""
    return False
