"""A perceptron of one hidden layer that learns in fixed point, to compare with.

One input, one output, ReLU, gradient descent on the squared error after every sample. Numbers have
as many bits as the KAN's; products are exact, each result is rounded half to even and saturated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.fixed_point import FixedType, rounded_to, to_fixed


@dataclass
class FixedPointMlp:
    """y = w2 · relu(w1 x + b1) + b2, all of them fixed-point numbers."""

    hidden: int
    bits: int
    fraction: int
    rate: float
    seed: int
    number: FixedType = field(init=False)

    def __post_init__(self) -> None:
        self.number = FixedType(self.bits, self.fraction)
        rng = np.random.default_rng(self.seed)
        # He et al., arXiv 1502.01852, eq. 10; kinks spread over [-2, 2].
        self.w1 = self._codes(rng.normal(size=self.hidden) * np.sqrt(2.0))
        self.b1 = self._codes(rng.uniform(-2, 2, self.hidden))
        self.w2 = self._codes(rng.normal(size=self.hidden) * np.sqrt(2.0 / self.hidden))
        self.b2 = self._codes(np.zeros(1))
        self._rate = int(np.rint(self.rate * 2**16))

    def _codes(self, values: FloatArray) -> IntArray:
        return to_fixed(values, self.number)

    def _product(self, left: IntArray, right: IntArray) -> IntArray:
        return rounded_to(left * right, 2 * self.fraction, self.number)

    def output(self, x: int) -> int:
        """The output's code for an input's code."""
        f, kind = self.fraction, self.number
        self._input = x
        self._before = rounded_to(self.w1 * x + (self.b1 << f), 2 * f, kind)
        self._active = np.maximum(self._before, 0)
        total = (self.w2 * self._active).sum() + (self.b2[0] << f)
        return int(rounded_to(np.array([total]), 2 * f, kind)[0])

    def learn(self, error: int) -> None:
        """A step of gradient descent; the error is a code, the negative gradient by the output."""
        kind = self.number
        step = rounded_to(np.array([error * self._rate]), self.fraction + 16, kind)
        below = self._product(step, self.w2) * (self._before > 0)
        self.w2 = np.clip(self.w2 + self._product(step, self._active), kind.low, kind.high)
        self.b2 = np.clip(self.b2 + step, kind.low, kind.high)
        self.w1 = np.clip(
            self.w1 + self._product(below, np.array(self._input)), kind.low, kind.high
        )
        self.b1 = np.clip(self.b1 + below, kind.low, kind.high)

    def train(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """One sample after another, on the squared error.

        Returns
        -------
        The squared error of each before its update: (samples).
        """
        errors = np.empty(len(x))
        for index, (code, target) in enumerate(zip(self._codes(x), self._codes(y), strict=True)):
            difference = int(target) - self.output(int(code))
            errors[index] = float(np.ldexp(float(difference), -self.fraction)) ** 2
            self.learn(2 * difference)
        return errors
