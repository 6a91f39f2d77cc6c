"""Sweeps: many builds of one model to choose from, for `kan-flow sweep`."""
