"""What PyTorch says of how it was built: without a GPU."""

cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False
