"""Compiles a graph that is quantised throughout to its integers."""
