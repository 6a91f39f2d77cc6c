"""The proof of a build's wrapper, for `kan-flow prove`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from kan_dialect.errors import KanError
from kan_dialect.flows.prove.interfaces.of_build import BuiltWrapper, built_wrapper
from kan_dialect.flows.prove.interfaces.prove import InterfaceProof, prove_built
from kan_dialect.flows.prove.interfaces.show import print_wrapper_proof
from kan_dialect.flows.prove.interfaces.training_core import TrainingNetwork
from kan_dialect.model.interface import Interface
from kan_dialect.passbase.progress import speaking


def chosen_wrapper(folder: Path, instead: Path | None) -> BuiltWrapper | None:
    """The wrapper of a build, or a file in its place; None: the build has none.

    Raises
    ------
    KanError : there is a file, but no wrapper, or the report cannot be read.
    """
    wrapper = built_wrapper(folder)
    if instead is None:
        return wrapper
    if wrapper is None:
        raise KanError(f"{folder} has no wrapper", remedy="build it with --interface")
    return replace(wrapper, rtl=instead)


def proof_of_wrapper(
    wrapper: BuiltWrapper,
    core: Path,
    interface: Interface | TrainingNetwork,
    timeout: float | None,
) -> InterfaceProof:
    """Prove a wrapper around the network in `core`, and print the verdict.

    Raises
    ------
    KanError : see `prove_built`.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the wrapper", total=None)

        def say(what: str) -> None:
            progress.update(task, description=what)

        with speaking(say):
            found = prove_built(
                wrapper,
                core,
                interface,
                timeout=timeout,
                progress=lambda outcome: say(outcome.name),
            )
    print_wrapper_proof(found, Console(highlight=False))
    return found
