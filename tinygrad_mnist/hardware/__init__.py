"""What PyTorch asks about devices that are not there, answered; and the threads of those that are."""
