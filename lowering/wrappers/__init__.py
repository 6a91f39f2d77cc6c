"""Wrappers: modules with a standard interface around a network's core module."""
