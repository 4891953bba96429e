"""What `make lint` checks of the package besides its style: imports, size, types."""
