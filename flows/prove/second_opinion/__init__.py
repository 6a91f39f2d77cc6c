"""A second opinion on a proof: another meaning of cells, and a solver in place of forms."""
