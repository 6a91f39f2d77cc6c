"""`kan-opt`: xDSL's optimiser driver with the frontends, passes and targets for KANs.

It offers everything of `xdsl-opt`. In addition it reads model files (`kan-opt model.onnx`) and
expands `kan-compile` into its passes. It writes an output file completely or not at all, and prints
one message instead of a traceback.
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from functools import cached_property
from io import BytesIO, StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar, NoReturn, cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipeline
from xdsl.printer import Printer
from xdsl.universe import Universe
from xdsl.utils.arg_spec import parse_spec
from xdsl.utils.exceptions import ArgSpecParseError
from xdsl.xdsl_opt_main import xDSLOptMain

from kan_dialect import __version__
from kan_dialect.cli.answers import Answer
from kan_dialect.cli.device_list import add_device_list
from kan_dialect.cli.error_messages import run_tool
from kan_dialect.cli.help_names import help_op, help_pass
from kan_dialect.cli.import_options import add_import_options, import_options
from kan_dialect.cli.new_pass import new_pass
from kan_dialect.cli.number_options import add_number
from kan_dialect.cli.standard_streams import read_standard_input
from kan_dialect.deferred import DeferredModule, deferred
from kan_dialect.errors import KanError
from kan_dialect.files.atomic import check_writable, write_atomically
from kan_dialect.frontends.frontend import find_frontends, import_file
from kan_dialect.limits import MAX_TENSOR_ELEMENTS
from kan_dialect.multiverse import installed_universe
from kan_dialect.passbase.garbage_collector import collector_paused
from kan_dialect.passbase.kan_pass import require_possible
from kan_dialect.passbase.option_bounds import Bounds
from kan_dialect.passbase.pipeline import build_pipeline, suggestion
from kan_dialect.passbase.record import open_record

if TYPE_CHECKING:
    from kan_dialect.checking import Checker
    from kan_dialect.files.data_sets import Dataset
    from kan_dialect.frontends import elided, loading, op_places
    from kan_dialect.ir import constants
    from kan_dialect.passbase import verification
else:
    elided = DeferredModule("kan_dialect.frontends.elided")
    loading = DeferredModule("kan_dialect.frontends.loading")
    op_places = DeferredModule("kan_dialect.frontends.op_places")
    constants = DeferredModule("kan_dialect.ir.constants")
    verification = DeferredModule("kan_dialect.passbase.verification")

_checker_of = cast("type[Checker]", deferred("kan_dialect.checking", "Checker"))
_data_of = cast(
    "Callable[[Sequence[ModulePass]], constants.FloatArray | None]",
    deferred("kan_dialect.checking", "data_of"),
)
_load_dataset = cast(
    "Callable[[str], Dataset]", deferred("kan_dialect.files.data_sets", "load_dataset")
)


class _WholeFile(StringIO):
    """Collects the output in memory; `commit` writes the file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.text = ""

    def close(self) -> None:
        if not self.closed:
            self.text = self.getvalue()
        super().close()

    def commit(self) -> None:
        write_atomically(self.path, self.text)


def _list_frontends() -> None:
    """Print the installed frontends: extensions, name and description."""
    print(".mlir  mlir: IR of any level, in MLIR's textual form")
    for frontend in {f.name: f for f in find_frontends().values()}.values():
        print(f"{', '.join(frontend.extensions)}  {frontend.name}: {frontend.description}")


_TEXT_TARGETS = frozenset({"systemverilog", "vhdl"})
"""Targets that show the record of passes, but no attribute of the module.

The record stays open until the text is printed, so no digest is computed.
"""


class KanOptMain(xDSLOptMain):
    """The driver of `kan-opt`."""

    version_format: ClassVar[str] = f"kan-opt {__version__}, built on xdsl {{xdsl_version}}"

    def __init__(self, args: Sequence[str] | None = None) -> None:
        self.output: _WholeFile | None = None
        self.places: op_places.OpPlaces | None = None
        self.lines_before = 0
        self.record = ExitStack()
        """Holds the open record of a module until its text is printed."""
        arguments = sys.argv[1:] if args is None else args
        # The value is optional and follows `=`. A separate word is the input file.
        args = ["--check-passes=" if word == "--check-passes" else word for word in arguments]
        try:
            super().__init__("Optimises and compiles Kolmogorov-Arnold networks", args)
        except ArgSpecParseError:
            # `build_pipeline` reads the passes, so the error is in the target.
            raise KanError(
                "cannot read the target", remedy="write it as name{option=value}"
            ) from None

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        def refuse(message: str) -> NoReturn:
            target = re.search(r"--target: invalid choice: '([^']*)'", message)
            if target is not None:
                names = sorted(self.available_targets)
                raise KanError(
                    f"unknown target {target[1]!r}",
                    remedy=suggestion(target[1], names, "targets are", names),
                )
            raise KanError(message, remedy="kan-opt --help lists the options")

        # xDSL creates the parser, so its error method is replaced afterwards.
        arg_parser.prog = "kan-opt"
        arg_parser.error = refuse
        super().register_all_arguments(arg_parser)
        arg_parser.add_argument(
            "--list-frontends",
            action=Answer,
            answer=_list_frontends,
            help="list the model files that are read, and exit",
        )
        arg_parser.add_argument(
            "--new-pass",
            action=Answer,
            answer=new_pass,
            metavar="NAME",
            help="write a package with a pass at wire level and its tests into a new folder NAME, "
            "and exit",
        )
        arg_parser.add_argument(
            "--help-pass",
            action=Answer,
            answer=help_pass,
            metavar="NAME",
            help="describe a pass and its options, and exit",
        )
        arg_parser.add_argument(
            "--help-op",
            action=Answer,
            answer=help_op,
            metavar="NAME",
            help="describe an op with its syntax, such as kan.table, and exit",
        )
        add_device_list(arg_parser)
        add_import_options(arg_parser)
        add_number(
            arg_parser,
            "--elide-large-constants",
            Bounds(0, MAX_TENSOR_ELEMENTS),
            metavar="N",
            help="print constants of more than N elements as dense_resource<__elided__>",
        )
        arg_parser.add_argument(
            "--fill-elided",
            type=Path,
            metavar="ORIGINAL",
            help="fill the constants that --elide-large-constants left out of the input from the "
            "file that was printed",
        )
        arg_parser.add_argument(
            "--print-decimal",
            action="store_true",
            help="for reading and editing: constants are printed as decimal lists of any length, "
            "one line for each edge; they read back exactly",
        )
        arg_parser.add_argument(
            "--check-passes",
            metavar="[DATA.npz]",
            help="evaluate the module before and after each pass and compare; inputs are samples "
            "of the file (after `=`) or of the passes' data, random samples and ends of ranges",
        )
        arg_parser.add_argument(
            "--check-passes-dir",
            type=Path,
            default=Path("check-passes-failure"),
            metavar="DIR",
            help="folder for the IR before and after a pass that fails its check "
            "(default: %(default)s)",
        )

    # xDSL looks through all installed packages for each of the three.

    @cached_property
    def _multiverse(self) -> Universe:
        return installed_universe()

    def register_all_dialects(self) -> None:
        self.ctx = loading.make_context()

    def register_all_passes(self) -> None:
        for name, factory in self._multiverse.all_passes.items():
            self.register_pass(name, factory)

    def register_all_targets(self) -> None:
        for name, factory in self._multiverse.all_targets.items():
            self.available_targets.setdefault(name, factory)

    def register_all_frontends(self) -> None:
        super().register_all_frontends()

        def parse(stream: IO[bytes]) -> ModuleOp:
            parser = op_places.PlacedParser(self.ctx, stream.read().decode(), self.get_input_name())
            parser.places.lines_before = self.lines_before
            self.places = parser.places
            return loading.parse_module(
                parser,
                allow_implicit=not self.args.no_implicit_module,
                original=self._elided_from(),
            )

        self.available_frontends["mlir"] = parse

    def parse_chunk(
        self, chunk: IO[bytes], file_extension: str, start_offset: int = 0
    ) -> ModuleOp | None:
        self.lines_before = start_offset
        return super().parse_chunk(chunk, file_extension, start_offset)

    def _elided_from(self) -> elided.ElidedFrom | None:
        path = cast("Path | None", self.args.fill_elided)
        if path is None:
            return None
        return elided.ElidedFrom(loading.load_model(self.ctx, path), str(path))

    def get_input_name(self) -> str:
        name = super().get_input_name()
        return "<stdin>" if name in ("-", "stdin") else name

    def get_input_stream(self) -> tuple[IO[bytes], str]:
        options = import_options(self.args)
        if self.args.input_file is None or self.args.input_file == "-":
            options.require_none("standard input", loading.IR_READER)
            return BytesIO(loading.require_text(read_standard_input(), "the input")), "mlir"
        path = Path(self.args.input_file)
        extension = self.args.frontend or loading.extension_of(path)
        if extension == "mlir":
            options.require_none(path.name, loading.IR_READER)
            return BytesIO(loading.require_text(loading.read_bytes(path), str(path))), extension
        loading.require_file(path)
        # A frontend opens the file by itself: it may need files beside it.
        self.available_frontends[extension] = lambda _: import_file(path, options)
        return BytesIO(), extension

    def prepare_output(self) -> IO[str]:
        if self.args.output_file is None or self.args.output_file == "-":
            return sys.stdout
        path, source = Path(self.args.output_file), str(self.args.input_file or "-")
        # IR may be rewritten in place; IR must not replace the model file that was read.
        model = None if loading.extension_of(Path(source)) == "mlir" else Path(source)
        check_writable(path, [model, self.args.samples])
        self.output = _WholeFile(path)
        return self.output

    def setup_pipeline(self) -> None:
        started = time.perf_counter()
        passes = build_pipeline(self.available_passes, self.args.passes)
        checker: Checker | None = None
        before: ModuleOp | None = None

        def after(
            previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
        ) -> None:
            nonlocal started, before, checker
            if self.args.time_passes and previous is not None:
                seconds = time.perf_counter() - started
                print(f"Pass {previous.name} took {seconds:.6f} seconds", file=sys.stderr)
            if not self.args.disable_verify:
                if previous is None:
                    op_places.verify_placed(module, self.places)
                else:
                    verification.verify_after(previous, module)
            if previous is None:
                checker = self._checker(passes)
            if checker is not None:
                if previous is not None and before is not None:
                    check = checker.check(previous, before, module)
                    check.require_passed(self.args.check_passes_dir)
                    print(check.summary(), file=sys.stderr)
                before = module.clone()
            if previous is not None and following is not None and self.args.print_between_passes:
                print(f"IR after {previous.name}:")
                self._printer(sys.stdout).print_op(module)
                print("\n\n")
            started = time.perf_counter()

        self.pipeline = PassPipeline(tuple(passes), after)

    def apply_passes(self, prog: ModuleOp) -> None:
        require_possible(self.pipeline.passes, prog)
        # Copies of the module, and its text, need the record after each pass.
        if self.args.check_passes is not None or self.args.print_between_passes:
            super().apply_passes(prog)
            return
        if parse_spec(self.args.target).name in _TEXT_TARGETS:
            self.record.enter_context(open_record(prog, written=False))
            super().apply_passes(prog)
            return
        with open_record(prog):
            super().apply_passes(prog)

    def _checker(self, passes: Sequence[ModulePass]) -> Checker | None:
        path = cast("str | None", self.args.check_passes)
        if path is None:
            return None
        return _checker_of(_load_dataset(path).x if path else _data_of(passes))

    def _printer(self, stream: IO[str]) -> Printer:
        flags = {
            "print_generic_format": self.args.print_op_generic,
            "print_properties_as_attributes": self.args.print_no_properties,
            "print_debuginfo": self.args.print_debuginfo,
        }
        limit = cast("int | None", self.args.elide_large_constants)
        decimal = cast(bool, self.args.print_decimal)
        if limit is None and not decimal:
            return Printer(stream=stream, **flags)
        return constants.ConstantPrinter(stream=stream, elide_above=limit, decimal=decimal, **flags)

    def output_resulting_program(self, prog: ModuleOp) -> str:
        with self.record:
            return self._text_of(prog)

    def _text_of(self, prog: ModuleOp) -> str:
        printer = self._printer(text := StringIO())
        if (
            isinstance(printer, constants.ConstantPrinter)
            and parse_spec(self.args.target).name == "mlir"
        ):
            printer.print_op(prog)
            printer.print_metadata(self.ctx.loaded_dialects)
            return text.getvalue() + "\n"
        try:
            return super().output_resulting_program(prog)
        except ValueError as error:
            if "Provided arguments" not in str(error):
                raise
            raise KanError(
                f"target {parse_spec(self.args.target).name} does not take these options",
                remedy="name the target alone",
            ) from None

    def run(self) -> None:
        # The check copies the module after each pass; the collector frees the copies.
        checked = self.args.check_passes is not None
        if checked:
            gc.enable()
        with self.record, nullcontext() if checked else collector_paused():
            super().run()
        if self.output is not None:
            self.output.commit()


def _main(args: Sequence[str] | None) -> None:
    KanOptMain(args).run()


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Entry point of `kan-opt`."""
    sys.exit(run_tool("kan-opt", lambda: _main(args)))


if __name__ == "__main__":
    main()
