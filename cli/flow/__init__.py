"""The commands of kan-flow: options and what each runs."""
