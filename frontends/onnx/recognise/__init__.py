"""Recognises layers of known form: bases, edges, sums."""
