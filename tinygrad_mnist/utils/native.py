"""`torch._C`: what packages built on PyTorch ask of its compiled part."""


def _log_api_usage_once(event: str) -> None:
    """Nothing: no use is counted."""
