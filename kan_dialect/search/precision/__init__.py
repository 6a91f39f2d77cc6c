"""Fewer bits at a small loss: the search behind `kan-refine-precision`.

`network` holds a table-level function as arrays, `objective` measures its outputs, `descent`
evaluates and changes one edge at a time, `edges` finds the best table of an edge at a price,
`paths` follows networks from many LUTs to few, and `search` chooses among them. `score` and
`budgets` define what a budget means on samples; `judge` bounds the loss on other samples.
"""
