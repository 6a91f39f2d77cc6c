"""From models to the `kan` dialect: one frontend for each kind of file."""
