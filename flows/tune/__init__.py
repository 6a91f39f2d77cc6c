"""Tuning: a search over pipelines that give the same outputs, with synthesis in the loop."""
