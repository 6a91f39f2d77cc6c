"""The C part of the searches: a library that `setup.py` builds when the package is installed."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from kan_dialect.errors import KanError

_FILE = Path(__file__).with_name("c_searches.abi3.so")

_HANDLE, _NUMBER, _DATA = ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p


@cache
def search_library() -> ctypes.CDLL:
    """The library, loaded once, with the types of its functions.

    Raises
    ------
    KanError : it has not been built.
    """
    try:
        library = ctypes.CDLL(str(_FILE))
    except OSError as error:
        raise KanError(
            f"the C part of the searches cannot be loaded: {error}",
            remedy="install the package again, which builds it: pip install --editable .",
        ) from None
    # adder_trees/c/pairing.c
    library.kan_new_pairing.restype = _HANDLE
    library.kan_new_pairing.argtypes = [_NUMBER, _NUMBER]
    library.kan_free_pairing.argtypes = [_HANDLE]
    library.kan_extend_pairing.argtypes = [_HANDLE, _DATA, _NUMBER]
    library.kan_best_pair.argtypes = [_HANDLE, _NUMBER, _NUMBER, _DATA]
    library.kan_take_pair.argtypes = [_HANDLE, _NUMBER, _NUMBER, _DATA]
    # logic_mapping/c/cover.c
    library.kan_cover.argtypes = [_DATA] * 7
    # lut_mapping/c/resubstitution.c
    library.kan_resubstitute.argtypes = [_DATA] * 6
    # table_split/c/search.c
    library.kan_split_tables.argtypes = [_DATA, _DATA, _NUMBER, _NUMBER, _DATA, _DATA, _DATA]
    library.kan_free_splits.argtypes = [_DATA]
    return library
