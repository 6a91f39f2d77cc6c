"""Tasks of a sweep, and the processes and clusters that do them."""
