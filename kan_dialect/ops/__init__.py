"""The ops of the `kan` dialect, one file a level or kind."""
