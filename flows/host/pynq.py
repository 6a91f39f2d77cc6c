"""The driver for PYNQ boards: NAME_pynq.py, which streams samples through an AXI DMA."""

from __future__ import annotations

from kan_dialect.flows.host.bus_bytes import BusBytes
from kan_dialect.model.interface import Interface

_MODULE = '''\
"""Runs {name} on a PYNQ board: samples through an AXI DMA to {name}_axi_stream and back.

    from {name}_pynq import Network

    network = Network.load("design.bit")    # an overlay with the DMA `axi_dma_0`
    y = network.predict(x)                  # as {name}_emulator.predict, bit for bit

The overlay connects M_AXIS_MM2S of the DMA with s_axis of {name}_axi_stream, and m_axis with
S_AXIS_S2MM. Where the DMA has another width than the wrapper, an AXI4-Stream data width converter
goes between them. Scatter-gather is off. It needs {name}_codec.py beside this file.
"""

import sys
from pathlib import Path

import numpy as np
from pynq import Overlay, allocate

sys.path.insert(0, str(Path(__file__).resolve().parent))

import {name}_codec as codec  # noqa: E402


class Network:
    """The network in the fabric, behind a DMA engine.

    Parameters
    ----------
    dma : the engine, of the class `pynq.lib.dma.DMA`.
    samples : most samples of one transfer; fewer are taken where the engine carries less.
    """

    def __init__(self, dma, samples=4096):
        self._dma = dma
        # A length register of n bits, 14 where the engine does not say, holds less than 2^n bytes.
        most = getattr(dma, "buffer_max_size", 1 << 14) - 1
        self._samples = min(samples, most // max(codec.AXIS_INPUT_BYTES, codec.AXIS_OUTPUT_BYTES))
        if self._samples < 1:
            raise ValueError(f"{name}: the DMA carries {{most}} bytes, less than one sample")

    @classmethod
    def load(cls, bitfile, dma="axi_dma_0", **options):
        """Program the fabric with a bitstream, and take its DMA engine of that name."""
        return cls(getattr(Overlay(bitfile), dma), **options)

    def predict(self, x):
        """Real outputs (samples, {outputs}) of real values (samples, {inputs}), or of one sample.

        Raises
        ------
        ValueError : wrong shape, or a value is NaN.
        """
        return codec.decode(self.run_codes(codec.encode(x)))

    def run_codes(self, codes):
        """Output codes (samples, {outputs}), int64, of input codes (samples, {inputs}).

        Raises
        ------
        ValueError : wrong shape.
        RuntimeError : the engine fails, or receives another number of bytes.
        """
        data = codec.pack_axis(codes)
        rows = data.reshape(-1, data.shape[-1])
        received = np.empty((len(rows), codec.AXIS_OUTPUT_BYTES), dtype=np.uint8)
        for start in range(0, len(rows), self._samples):
            part = slice(start, start + self._samples)
            self._transfer(rows[part], received[part])
        return codec.unpack_axis(received).reshape(*data.shape[:-1], {outputs})

    def _transfer(self, rows, received):
        """One transfer of bytes: (samples, {input_bytes}) there, (samples, {output_bytes}) back."""
        source = allocate(shape=rows.shape, dtype=np.uint8)
        result = allocate(shape=received.shape, dtype=np.uint8)
        try:
            source[:] = rows
            # The receiver first: nothing then waits for it.
            self._dma.recvchannel.transfer(result)
            self._dma.sendchannel.transfer(source)
            self._dma.sendchannel.wait()
            self._dma.recvchannel.wait()
            got = getattr(self._dma.recvchannel, "transferred", result.nbytes)
            if got != result.nbytes:
                raise RuntimeError(
                    f"{name}: the DMA received {{got}} bytes, should be {{result.nbytes}}"
                )
            received[:] = result
        finally:
            source.freebuffer()
            result.freebuffer()
'''


def pynq_driver(interface: Interface, bus: tuple[BusBytes, BusBytes]) -> str:
    """The text of NAME_pynq.py.

    Parameters
    ----------
    bus : bytes on AXI4-Stream of input and output samples.
    """
    return _MODULE.format(
        name=interface.name,
        inputs=len(interface.inputs),
        outputs=len(interface.outputs),
        input_bytes=bus[0].size,
        output_bytes=bus[1].size,
    )
