"""pykan's checkpoints."""
