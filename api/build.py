"""`Build`: a folder that a build wrote, with its report, proof and measurements."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import Any

from kan_dialect.api.options import require_processes
from kan_dialect.api.page import build_page
from kan_dialect.errors import KanError
from kan_dialect.files.manifest import written_stages
from kan_dialect.flows.built_models import built_models, built_schedule, is_trainable_build
from kan_dialect.flows.folder_owners import require_as_built
from kan_dialect.flows.host.loading import load_module
from kan_dialect.flows.measure import measure_asic, measure_routed, measure_synthesis, open_design
from kan_dialect.flows.page.page import render_again
from kan_dialect.flows.properties.property import PropertyText, read_properties
from kan_dialect.flows.properties.prove import Verdict, prove_property
from kan_dialect.flows.prove.interfaces.of_build import built_wrapper
from kan_dialect.flows.prove.interfaces.prove import InterfaceProof, prove_built
from kan_dialect.flows.prove.prove import Proof, prove
from kan_dialect.flows.prove.show import merge_proof
from kan_dialect.flows.report import read_report
from kan_dialect.flows.tools.asic import AsicSynthesis
from kan_dialect.flows.tools.place_and_route import PlaceAndRoute
from kan_dialect.flows.tools.synthesis import Synthesis


class Build:
    """A folder of `Network.build` or `kan-flow build`: RTL, IR of every stage and a report.

    Figures of proofs and of tools go into its `report.json`, as with `kan-flow`.
    """

    def __init__(self, folder: str | Path) -> None:
        """
        Parameters
        ----------
        folder : of an earlier build.

        Raises
        ------
        KanError : it is no folder of a build.
        """
        self._folder = Path(folder)
        if not self._folder.is_dir():
            raise KanError(f"there is no folder {folder}", remedy="build the network first")
        self._design = open_design(self._folder)

    @property
    def folder(self) -> Path:
        """Where everything is."""
        return self._folder

    @property
    def rtl(self) -> Path:
        """The SystemVerilog file of the network, which a wrapper may stand around."""
        return self._folder / "rtl" / f"{self._design.known['name']}.sv"

    @property
    def report(self) -> dict[str, Any]:
        """Content of `report.json`; docs/reference/report.md lists its keys.

        Raises
        ------
        KanError : the file is gone, or holds something else.
        """
        return read_report(self._folder / "report.json")

    def page(self) -> Path:
        """Write `report.html`, the page of the build, anew.

        Returns
        -------
        Its path.

        Raises
        ------
        KanError : the report is gone, or the page cannot be written.
        """
        return render_again(self._folder)

    @property
    def stages(self) -> tuple[Path, ...]:
        """IR files of the import and of every pass after it; `load` reads them."""
        return tuple(written_stages(self._folder))

    def systemverilog(self) -> str:
        """The RTL as text.

        Raises
        ------
        KanError : the file is gone.
        """
        try:
            return self.rtl.read_text()
        except OSError as error:
            raise KanError(f"cannot read {self.rtl}: {error.strerror}") from None

    def emulator(self) -> ModuleType:
        """The module `host/NAME_emulator.py`: `predict(x)`, `classify(x)` and `run_codes(codes)`.

        The first call compiles the emulator, which needs a C compiler.

        Raises
        ------
        KanError : the build has no emulator: it trains itself, or began at hardware level.
        """
        path = self._folder / "host" / f"{self._design.top}_emulator.py"
        if not path.is_file():
            raise KanError(
                f"{self._folder} has no emulator", remedy="build from the model of a network"
            )
        return load_module(path)

    def prove(self, *, jobs: int = 1, timeout: float | None = None) -> Proof:
        """Prove the RTL equal to the integer model for all inputs, node by node. Needs Yosys.

        A wrapper around the network has a proof of its own, `prove_wrapper`.

        Parameters
        ----------
        jobs : number of processes, 1 to 1024.
        timeout : seconds.

        Returns
        -------
        `proven` says whether all of it is; `nodes` and `outputs` count what is; `outcomes` has the
        problem, and codes that show it, of each node that is not.

        Raises
        ------
        KanError : Yosys is missing, the RTL is outside the subset, no time is left, `jobs` is out
            of bounds, a file has changed since the build, or the build trains itself, which
            `kan-flow prove` proves.
        """
        require_processes(jobs)
        self._require_function()
        self._require_as_built()
        integer, circuit = built_models(self._folder)
        scheduled = built_schedule(self._folder)
        proof = prove(self.rtl, integer, circuit, scheduled=scheduled, timeout=timeout, jobs=jobs)
        merge_proof(self._folder / "report.json", proof.summary() if proof.proven else None)
        return proof

    def prove_properties(
        self, properties: str | Path | PropertyText, *, timeout: float = math.inf
    ) -> list[Verdict]:
        """Prove properties of the integer model, which `prove` proves the RTL equal to.

        Parameters
        ----------
        properties : a file, or its content: for each name, the keys of a property, such as
            `{"bounded": {"range": "y0 <= 40", "for": "x0 in 3..9"}}`; docs/reference/properties.md.
        timeout : seconds for each property, beyond which it is undecided.

        Returns
        -------
        Of each property, `status` says whether it is proven, refuted or undecided; `samples` has
        codes that refute it, (inputs,), or that reach the ends of a range; `results` the rest.

        Raises
        ------
        KanError : a property cannot be read or does not fit the network; a file has changed since
            the build; or the build trains itself.
        """
        self._require_function()
        self._require_as_built()
        integer, _ = built_models(self._folder)
        given = Path(properties) if isinstance(properties, str) else properties
        verdicts = [
            prove_property(integer, wanted, timeout=timeout)
            for wanted in read_properties(integer, given)
        ]
        summaries = [verdict.summary() for verdict in verdicts]
        merge_proof(self._folder / "report.json", summaries, key="properties")
        return verdicts

    def _require_as_built(self, *more: str) -> None:
        """Refuse stages and RTL that have changed since the build.

        Raises
        ------
        KanError : a file has changed.
        """
        files = ("ir/*", f"rtl/{self.rtl.name}", *more)
        remedy = f"build again, or use kan-flow prove {self._folder} --changed"
        require_as_built(self._folder, *files, remedy=remedy)

    def _require_function(self) -> None:
        """Refuse hardware that trains itself, which the command proves.

        Raises
        ------
        KanError : it does.
        """
        if is_trainable_build(self._folder):
            raise KanError(
                f"{self._folder} holds hardware that trains itself",
                remedy=f"prove it with kan-flow prove {self._folder}",
            )

    def prove_wrapper(self, *, timeout: float | None = None) -> InterfaceProof:
        """Prove the wrapper, for every history of its ports: the results of its samples, in order;
        registers that do what their map says; or a clock enable that changes nothing else.

        It takes the network for what `prove` says of it. Needs Yosys and Bitwuzla.

        Parameters
        ----------
        timeout : seconds.

        Returns
        -------
        `proven` says whether all of it is; `outcomes` has the problem of each claim that is not.

        Raises
        ------
        KanError : the build has no wrapper, or trains itself; a file has changed since the build
            or is outside the subset; a tool is missing, or no time is left.
        """
        self._require_function()
        wrapper = built_wrapper(self._folder)
        if wrapper is None:
            raise KanError(f"{self._folder} has no wrapper", remedy="build it with an interface")
        self._require_as_built("report.json", "rtl/*")
        _, circuit = built_models(self._folder)
        return prove_built(wrapper, self.rtl, circuit.interface(), timeout=timeout)

    def synthesize(self, target: str | None = None) -> Synthesis:
        """Map the RTL to a device with Yosys.

        Parameters
        ----------
        target : `xcup`, `ecp5` or another device of the reference, or `lut3` to `lut8`; by default
            that of the build, or `xcup` where Yosys does not map to it.

        Returns
        -------
        `cells` with `luts`, `registers` and so on, of the top module. `core` is the same of the
        network alone, in a build with a wrapper; None in others.

        Raises
        ------
        KanError : the target is unknown; Yosys is missing, or takes too much time or memory.
        """
        return measure_synthesis(self._design, target)

    def synthesize_asic(self, liberty: str | Path) -> AsicSynthesis:
        """Map the RTL to the standard cells of a Liberty file with Yosys, and time it with OpenSTA.

        Returns
        -------
        `area` in the units of the library, `cells` by type, `registers` and `netlist`. `timing` has
        the longest path in ns, leakage in W and the energy of a sample in J; None without OpenSTA.

        Raises
        ------
        KanError : the file is no Liberty file, or lacks cells; Yosys is missing or refuses the
            design; or the netlist gives other outputs than the integer model.
        """
        return measure_asic(self._design, Path(liberty))

    def place_and_route(
        self, target: str | None = None, *, seeds: int = 3, mhz: float = 500.0
    ) -> PlaceAndRoute:
        """Place and route the RTL with nextpnr.

        Parameters
        ----------
        target : `ecp5`, `ice40`, `nexus`, `gowin` or `gatemate`; by default that of the build, or
            `ecp5` where there is no place and route for it.
        seeds : number of runs, 1 to 100; figures are their medians.
        mhz : clock that nextpnr strives for.

        Returns
        -------
        `summary()` has the clock in MHz, latency in ns and cells, as `report["pnr"]`.

        Raises
        ------
        KanError : the target is unknown, a number is out of bounds, a tool is missing or fails,
            or the design does not fit.
        """
        return measure_routed(self._design, target, seeds, mhz)[0]

    def __repr__(self) -> str:
        return f"Build({str(self._folder)!r})"

    def _repr_html_(self) -> str:
        return build_page(self._folder, self.report)
