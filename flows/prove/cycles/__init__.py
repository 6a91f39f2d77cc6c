"""Designs over cycles: terms, registers from cycle to cycle, a solver, and claims about them."""
