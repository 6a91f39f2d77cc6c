"""The host's codec of a design."""
