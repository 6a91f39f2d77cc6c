"""Training steps as hardware."""
