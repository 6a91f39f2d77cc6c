"""The archive that `torch.save` writes: a zip file of a pickle and its storages, not compressed."""

from __future__ import annotations

from typing import IO
from zipfile import ZIP_STORED, ZipFile

_MAX_PICKLE_BYTES = 1 << 22
"""Longest pickle: some 20,000 tensors, or 400,000 numbers in lists."""

_BYTE_ORDERS = {b"little": "<", b"big": ">"}


class Archive:
    """The members of an archive. Sizes are checked on the file that is read.

    Attributes
    ----------
    byte_order : of the storages, `<` or `>`.
    pickle : the bytes of `data.pkl`.
    """

    def __init__(self, stream: IO[bytes], size: int) -> None:
        """
        Parameters
        ----------
        stream : the file, opened to read.
        size : of the file in bytes.

        Raises
        ------
        ValueError : a member is compressed or encrypted, stands in the file twice, or is larger
            than the file; or there is no pickle.
        BadZipFile, ... : the file is no zip file; see `zipfile`.
        """
        self._zip = ZipFile(stream)
        members = self._zip.infolist()
        self._names = {member.filename for member in members}
        if len(self._names) != len(members):
            raise ValueError("it has two members of one name")
        if any(member.compress_type != ZIP_STORED for member in members):
            raise ValueError("its members are compressed, which torch.save does not do")
        if sum(member.file_size for member in members) > size:
            raise ValueError("its members are larger than the file")
        pickles = [name for name in self._names if name.partition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("it has no data.pkl")
        self._folder = pickles[0].partition("/")[0]
        if self._zip.getinfo(pickles[0]).file_size > _MAX_PICKLE_BYTES:
            raise ValueError(f"its data.pkl is larger than {_MAX_PICKLE_BYTES} bytes")
        self.pickle = self._read("data.pkl")
        order = self._read("byteorder") if f"{self._folder}/byteorder" in self._names else b"little"
        if order not in _BYTE_ORDERS:
            raise ValueError("its byte order is neither little nor big")
        self.byte_order = _BYTE_ORDERS[order]

    def storage(self, key: str) -> bytes:
        """The bytes of a storage.

        Raises
        ------
        ValueError : the storage does not exist.
        """
        return self._read(f"data/{key}")

    def _read(self, name: str) -> bytes:
        full = f"{self._folder}/{name}"
        if full not in self._names:
            raise ValueError(f"it has no member {full}")
        return self._zip.read(full)
