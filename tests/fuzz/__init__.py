"""Fuzzing of the whole compiler: random networks, random pipelines, broken files.

`make fuzz SECONDS=600 SEED=1` runs it, `python -m fuzz --help` lists the options (with `tests` on
the path). Failures are written as files that show them by themselves.
"""
