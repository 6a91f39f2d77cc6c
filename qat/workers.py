"""Where the tasks of a training are done."""

from __future__ import annotations

from dataclasses import dataclass

from kan_dialect.flows.trials.runners import Runner


@dataclass(frozen=True)
class Workers:
    """What does the tasks of a training."""

    runner: Runner
    is_here: bool
    """Whether tasks are done in this process, one after another."""
    is_far: bool = False
    """Whether tasks are done on other machines, which see none of our files."""
