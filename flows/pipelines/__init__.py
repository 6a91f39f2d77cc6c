"""Pipelines as text, their options and passes changed, for sweeps, comparisons and tuning."""
