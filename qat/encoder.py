"""Codes of features that are made in training: with noise, or with ranges that are trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kan_dialect.qat.codes import InputCodes


class Encoder(nn.Module):
    """Real features to codes, by a range of each feature that may be moved and scaled.

    A threshold of a feature is where its code changes: 2^bits - 1 of them, at equal distances. An
    edge that reads one bit has the threshold in the middle of the range.

    The gradient of a code by its feature is that of the identity in the range, and 0 beyond it
    (straight through; Esser et al., Learned Step Size Quantization, arXiv 1902.08153).
    """

    def __init__(self, codes: InputCodes, *, learned: bool) -> None:
        """
        Parameters
        ----------
        codes : before training.
        learned : whether the ranges are trained.
        """
        super().__init__()
        self._bits = codes.bits
        self._gain = torch.from_numpy(codes.gain)
        self._offset = torch.from_numpy(codes.offset)
        zeros = torch.zeros(len(codes.gain), dtype=torch.float64)
        self.shift = nn.Parameter(zeros.clone(), requires_grad=learned)
        """(inputs), in halves of the range that the codes had before."""
        self.log_scale = nn.Parameter(zeros.clone(), requires_grad=learned)
        """(inputs): the range has been divided by its exponential."""

    def _affine(self) -> tuple[Tensor, Tensor]:
        """Gain and offset as `InputCodes` has them."""
        half, scale = 2.0 ** (self._bits - 1), self.log_scale.exp()
        varies = self._gain.ne(0.0).double()
        offset = (self._offset + 0.5) * scale + half * (1.0 + self.shift - scale) - 0.5
        return self._gain * scale, offset * varies

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """
        Parameters
        ----------
        features : (samples, inputs), float64.

        Returns
        -------
        The codes, (samples, inputs), int64; and the real numbers in [-1, 1] that have them, for
        gradients, where ranges are trained.
        """
        gain, offset = self._affine()
        real = features * gain + offset
        codes = real.detach().round().clamp(0, (1 << self._bits) - 1).long()
        if not real.requires_grad:
            return codes, None
        return codes, ((real + 0.5) * 2.0 ** (1 - self._bits) - 1.0).clamp(-1.0, 1.0)

    @torch.no_grad()
    def codes(self) -> InputCodes:
        """The codes as the host computes them."""
        gain, offset = self._affine()
        return InputCodes(self._bits, gain.numpy(), offset.numpy())
