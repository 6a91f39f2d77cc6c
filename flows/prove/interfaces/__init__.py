"""Proofs of wrappers: no sample is lost, repeated or reordered, whatever valid and ready do."""
