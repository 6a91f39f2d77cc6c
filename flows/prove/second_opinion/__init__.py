"""A second opinion on a proof: other readers, a solver, and no code of the first one."""
