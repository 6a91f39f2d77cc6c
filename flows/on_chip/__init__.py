"""Builds and simulation of hardware that trains itself."""
