"""Stages with the fewest bits of registers: the search behind `kan-schedule` for a clock.

`graph` reads a function: its ops, their costs and the bits between them. `closure` finds the set of
ops whose registers are best moved. `stages` moves them until no move saves a bit.
"""
