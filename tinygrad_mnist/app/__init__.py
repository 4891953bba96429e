"""The tutorial's program: data sets, models, training, checkpoints, evaluation, the command line.

An application of the engine: it may import every other room, and none imports it.
"""
