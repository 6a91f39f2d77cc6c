"""The base classes of passes, pipelines, and the record of passes in a module."""
