"""A backward pass seen as it runs, and made into plain data."""
