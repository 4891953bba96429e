"""A folder for PYTHONPATH: every Python that finds it runs its `sitecustomize` first."""
