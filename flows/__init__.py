"""What happens to the RTL: simulation, testbench, host codecs, build, report and sweep."""
