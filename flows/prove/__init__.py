"""Proofs that the emitted SystemVerilog is the integer model, node by node, for all codes."""
