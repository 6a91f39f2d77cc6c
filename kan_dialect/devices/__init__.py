"""FPGA families: the cost and the delay of tables, adders and registers."""
