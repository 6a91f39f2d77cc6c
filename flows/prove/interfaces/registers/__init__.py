"""Proof of wrappers with registers on AXI4-Lite."""
