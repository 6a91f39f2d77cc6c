"""Reads fixed-point programs of da4ml and alkaid, and HGQ2's models through their tracers."""
