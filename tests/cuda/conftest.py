"""What the tests on a GPU share: a file of digits, and products in all digits of float32."""

import pytest

from tests.reference.climbing import save_digits

ROWS = 1000


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A file of a few hundred digits, in the form that --data takes."""
    file = tmp_path_factory.mktemp("digits") / "digits.npz"
    save_digits(file, ROWS)
    return file


@pytest.fixture(autouse=True)
def full_precision():
    """PyTorch's products on a GPU are made of float32, not of TF32, which has 10 bits."""
    import torch

    switches = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = False
    yield
    for switch, allowed in zip(switches, before, strict=True):
        switch.allow_tf32 = allowed
