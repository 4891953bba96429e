"""What a compiled training step is worth beside other engines: `python -m benchmarks.compile`."""
