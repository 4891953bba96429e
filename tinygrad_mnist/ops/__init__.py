"""The operations: what each computes, and the formulas of its derivatives, by subject."""
