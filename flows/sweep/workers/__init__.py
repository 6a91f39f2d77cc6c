"""Tasks of a sweep, and the workbench of a process that does them."""
