"""FPGA families: cost and delay of tables, adders and registers, and estimates of functions."""
