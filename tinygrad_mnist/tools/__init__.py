"""What knows two engines: parity with PyTorch, comparing scripts, running scripts.

It may import every room but `app`.
"""
