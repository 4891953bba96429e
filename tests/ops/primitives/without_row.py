"""What the table of operations has no row for, and why."""

PRIMITIVES_WITHOUT_ROW = {
    "constant": "never computes: it stands for numbers that are made; tests/compiler",
    "outside": "never computes: it stands for numbers that NumPy holds; tests/compiler",
    "decisive": "is reported where numbers decide what is computed; tests/compiler",
    "item": "is reported where Python reads a number, and never called; tests/compiler",
}
