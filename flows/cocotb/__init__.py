"""A cocotb testbench in the folder of a build."""
