"""KANELÉ checkpoints and tables."""
