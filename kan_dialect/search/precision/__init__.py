"""Fewer bits where they are not missed: the search behind `kan-refine-precision`.

`network` holds a table-level function as arrays, `objective` says how good its outputs are,
`descent` evaluates and changes one edge at a time, `edges` finds the best table for an edge at each
price, and `search` goes from many bits to few.
"""
