"""Projects and packages of a build for the tools of FPGA vendors and for open tools."""
