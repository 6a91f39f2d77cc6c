"""Tables as sums of cheaper tables: the search behind `kan-split-tables`.

A table whose entries differ little between neighbouring codes is the sum of a high part, which
reads the upper input bits only, and a rest of few bits. Either may be split again. The rest between
two neighbours may also be gated: the high part is the lesser of both, and the last input bit says
whether the difference is added. So may the rest among four or eight entries: the high part is the
least, and a class of the upper input bits says which shape the others have. Constants are free, so
every part may have an offset. (Bipartite tables approximate the same; here nothing is lost. Schulte
and Stine, "Approximating elementary functions with symmetric bipartite tables", IEEE Trans.
Computers 48(8), 1999. A class of a bound set of inputs is as in Ashenhurst, "The decomposition of
switching functions", 1957, and Curtis, "A new approach to the design of switching circuits", 1962.)

`parts` holds the sums, `splitter` the search, which is in C (`c/`, called by `compiled`), `costs`
the LUTs of sums, `sums` the choice for all tables of a sum, `whole_sums` the choice by the estimate
of the sum, `part_ops` the ops of parts, `halves` tables as choices between smaller ones, and
`limits` what bounds the search.

Arrays are indexed by bit patterns of the input; their length is a power of two.
"""
