"""KANELÉ's published integers, through every combination of `kan-compile`'s options."""
