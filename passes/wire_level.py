"""The passes of wire level before the schedule, in the order of `kan-compile`.

This is no pass itself. `kan-compile` consists of it, and `kan-refine-precision` runs it on a copy
to estimate the LUTs of tables on a device.
"""

from __future__ import annotations

from kan_dialect.passbase.kan_pass import KanPass
from kan_dialect.passes.balance_sums import BalanceSumsPass
from kan_dialect.passes.compress_codes import CompressCodesPass
from kan_dialect.passes.expand_wires import ExpandWiresPass
from kan_dialect.passes.fit_clock import FitClockPass
from kan_dialect.passes.fold_clamps import FoldClampsPass
from kan_dialect.passes.merge_tables import MergeTablesPass
from kan_dialect.passes.narrow import NarrowPass
from kan_dialect.passes.share_sums import ShareSumsPass
from kan_dialect.passes.share_tables import ShareTablesPass
from kan_dialect.passes.split_adders import SplitAddersPass
from kan_dialect.passes.split_tables import SplitTablesPass
from kan_dialect.passes.window_tables import WindowTablesPass


def wire_level_passes(
    target: str,
    *,
    parts: int | None,
    extra_levels: tuple[int, ...] | int,
    fast: bool,
    mhz: float | None = None,
) -> tuple[KanPass, ...]:
    """From tables to adders.

    Parameters
    ----------
    target : the device whose costs decide.
    parts : see `kan-split-tables`.
    extra_levels : see `kan-balance-sums`.
    fast : leave out `kan-share-sums`, `kan-compress-codes` and `kan-split-tables`, which search.
    mhz : the clock that decides how long paths may be; None: LUTs alone decide.
    """
    balance = BalanceSumsPass(target=target, extra_levels=extra_levels)
    if fast:
        last: tuple[KanPass, ...] = (balance,)
    elif mhz is None:
        last = (
            ShareSumsPass(target=target),
            CompressCodesPass(target=target),
            SplitTablesPass(target=target, parts=parts),
            balance,
        )
    else:
        fit = FitClockPass(mhz, parts, extra_levels, target=target)
        last = (fit, SplitAddersPass(mhz, target=target))
    return (
        ExpandWiresPass(),
        NarrowPass(),
        FoldClampsPass(target=target),
        WindowTablesPass(target=target),
        MergeTablesPass(target=target),
        ShareTablesPass(target=target),
        *last,
    )
