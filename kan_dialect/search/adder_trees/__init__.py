"""Trees of two-input adders for sums of many values: the search behind `kan-balance-sums`.

`side_by_side` finds values whose bits do not meet, `pairing` the two values that are best added
next, and `tree` makes the adders of a sum from both.
"""
