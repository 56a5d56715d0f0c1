"""The command line.

app: commands and their options; commands, evaluation, demonstration: what they do; console: what they print.
"""
