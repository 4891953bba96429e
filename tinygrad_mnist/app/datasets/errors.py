"""What can go wrong with the data, and the warning when synthetic digits stand in for MNIST."""


class DataError(RuntimeError):
    """Data is missing, broken or not to be trusted. Says which file, and what to do."""


class TransferError(DataError):
    """One address did not deliver its file; another may."""


class SyntheticDataWarning(UserWarning):
    """MNIST was not to be had, and synthetic digits were loaded in its place."""
