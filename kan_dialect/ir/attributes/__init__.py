"""Attributes by which functions and modules tell later stages about names, ports and figures."""
