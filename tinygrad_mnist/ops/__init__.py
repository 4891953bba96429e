"""The operations and their derivatives, by subject."""
