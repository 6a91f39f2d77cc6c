"""Simulation of a design against the integer model."""
