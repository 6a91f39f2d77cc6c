"""Output formats other than SystemVerilog."""
