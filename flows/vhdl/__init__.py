"""Files for designs in VHDL: a package, a wrapper with numeric ports, and the network itself."""
