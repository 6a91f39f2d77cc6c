"""Passes over KANs, kan to kan, one a file."""
