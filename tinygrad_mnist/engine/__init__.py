"""What PyTorch adds to the idea: hot call paths, hooks, views, versions, modes, the observer.

It knows no operation. It imports `core`, `dtypes` and nothing else of the package.
"""
