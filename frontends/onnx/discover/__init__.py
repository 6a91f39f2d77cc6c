"""Layers of unknown form, found by evaluation."""
