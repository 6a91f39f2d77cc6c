"""Types, constants, attribute names, base classes of ops, and the meaning of ops."""
