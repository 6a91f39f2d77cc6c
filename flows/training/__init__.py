"""Builds of hardware that trains itself."""
