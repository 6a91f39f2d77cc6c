"""Searches that passes call: table splitting, adder trees, fits, precision."""
