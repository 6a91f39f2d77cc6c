"""Many builds of one model, to choose from: what `kan-flow sweep` does."""
