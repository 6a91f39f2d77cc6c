"""Networks of LUTs for several functions of the same bits: the search behind `kan-map-tables`.

`mapping` maps functions to a `network`. `start` makes a first one of choices between cofactors, and
`resubstitution` gives its LUTs other inputs until fewer are needed; `compiled` does so in C.
"""
