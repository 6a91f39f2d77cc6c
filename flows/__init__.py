"""What happens to the RTL: simulation, testbench, host codecs, build and report."""
