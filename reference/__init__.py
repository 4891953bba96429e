"""The project's jobs in plain PyTorch, on a CPU or a GPU, to hold the engine's results against."""
