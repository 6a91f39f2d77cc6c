"""The command line tools: kan-opt, kan-run and kan-flow."""
