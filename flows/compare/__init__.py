"""Pipelines compared over networks: figures, functional check, statistics, tables and pictures."""
