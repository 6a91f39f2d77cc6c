"""Layers of known form: bases, edges, sums."""
