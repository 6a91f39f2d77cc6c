"""FPGA families, a file each: figures, tools and parts, with their sources."""
