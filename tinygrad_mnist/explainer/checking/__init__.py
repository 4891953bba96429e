"""The gradients of a pass held against PyTorch and against central differences."""
