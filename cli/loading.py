"""Deprecated name of `kan_dialect.frontends.loading`; version 0.4 removes it."""

import warnings

from kan_dialect.frontends.loading import load_model, make_context

__all__ = ["load_model", "make_context"]

warnings.warn(
    "kan_dialect.cli.loading has become kan_dialect.frontends.loading",
    DeprecationWarning,
    stacklevel=2,
)
