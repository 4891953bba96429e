"""What PyTorch asks about devices that are not there, answered; and the threads there are."""
