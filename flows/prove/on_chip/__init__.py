"""Proves hardware that trains itself equal to the training step of the IR."""
