"""What the computer has: memory, and how long a computation takes.

measure: seconds and peak memory; allocation: how memory is taken; halving: smaller batches where it runs out.
"""
