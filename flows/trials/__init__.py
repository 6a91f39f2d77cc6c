"""Trials: a network through a pipeline gives a row of figures, kept in a folder.

A `Study` has networks and pipelines. A `Trial` is one network through one pipeline with values for
its options. `Work` knows the figures of earlier runs, and lets processes or a cluster compute the
missing ones. Sweeps, comparisons and searches choose the trials and say what their figures mean.
"""
