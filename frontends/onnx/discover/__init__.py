"""Layers of unknown form, discovered by evaluation."""
