"""Kolmogorov-Arnold networks as clients write them: one layer a formula, each in its own manner.

`VARIANTS` are networks whose nodes add functions of one value each; `NO_KANS` look like ones and
are none. All are small, initialised at random from a fixed seed, in evaluation mode, and defined
for every real input. None was written with the frontend in mind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

torch: Any = pytest.importorskip("torch")

if TYPE_CHECKING:
    from torch.nn import Module
else:
    Module = torch.nn.Module

Tensor: TypeAlias = Any
"""A tensor; PyTorch's own stubs leave too much unknown."""

INPUTS, HIDDEN, OUTPUTS = 5, 4, 3


def normal(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Any:
    """A parameter with entries of this mean and standard deviation."""
    return torch.nn.Parameter(torch.randn(*shape) * scale + mean)


def constant(values: Any) -> Any:
    """A tensor that belongs to the module's state, follows `.double()`, and is not trained."""
    return torch.nn.Parameter(torch.as_tensor(values), requires_grad=False)


# Radial functions and wavelets


class GaussianRadial(Module):
    """Σᵢ Σₖ wₖ exp(−((xᵢ − cₖ) / h)²) + Σᵢ w silu(xᵢ) + b.

    FastKAN (Li, arXiv 2405.06721) without its layer norm.
    """

    def __init__(self, inputs: int, outputs: int, centers: int = 6) -> None:
        super().__init__()
        self.centers = constant(torch.linspace(-2.0, 2.0, centers))
        self.width = 4.0 / (centers - 1)
        self.spline = torch.nn.Linear(inputs * centers, outputs, bias=False)
        self.base = torch.nn.Linear(inputs, outputs)
        torch.nn.init.trunc_normal_(self.spline.weight, std=0.5)

    def forward(self, x: Tensor) -> Tensor:
        radial = torch.exp(-(((x[..., None] - self.centers) / self.width) ** 2))
        spline = self.spline(radial.view(*radial.shape[:-2], -1))
        return spline + self.base(torch.nn.functional.silu(x))


class MexicanHat(Module):
    """Σᵢ w (u² − 1) exp(−u² / 2) with u = (xᵢ − t) / s; w, t and s belong to the edge.

    Wav-KAN (Bozorgasl and Chen, arXiv 2405.12832), its base function included.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.rand(outputs, inputs) + 0.5)
        self.translation = normal(outputs, inputs, scale=0.5)
        self.wavelet_weights = normal(outputs, inputs)
        self.weight1 = normal(outputs, inputs, scale=0.3)

    def forward(self, x: Tensor) -> Tensor:
        expanded = x.unsqueeze(1).expand(-1, self.scale.size(0), -1)
        u = (expanded - self.translation) / self.scale
        hat = 2 / (3**0.5 * torch.pi**0.25) * (u**2 - 1) * torch.exp(-0.5 * u**2)
        wavelets = (hat * self.wavelet_weights.unsqueeze(0)).sum(dim=2)
        return wavelets + torch.nn.functional.linear(x, self.weight1)


class Morlet(Module):
    """Σᵢ w cos(ω u) exp(−u² / 2) with u = (xᵢ − t) / s, ω = 5: Wav-KAN, arXiv 2405.12832."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.rand(1, outputs, inputs) + 1.0)
        self.translation = normal(1, outputs, inputs, scale=0.5)
        self.weight = normal(outputs, inputs)

    def forward(self, x: Tensor) -> Tensor:
        u = (x.reshape(-1, 1, x.shape[1]) - self.translation) / self.scale
        wavelets = torch.cos(5.0 * u) * torch.exp(-u.square() / 2)
        return torch.einsum("boi,oi->bo", wavelets, self.weight)


# Polynomials


class ChebyshevByCosine(Module):
    """Σᵢ Σₙ wₙ cos(n arccos(tanh xᵢ)): ChebyKAN (SS et al., arXiv 2405.07200)."""

    def __init__(self, inputs: int, outputs: int, degree: int = 4) -> None:
        super().__init__()
        self.inputs, self.degree = inputs, degree
        self.coefficients = normal(inputs, outputs, degree + 1, scale=0.5)
        self.orders = constant(torch.arange(0.0, degree + 1))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(x)
        x = x.view((-1, self.inputs, 1)).expand(-1, -1, self.degree + 1)
        x = torch.cos(torch.acos(x) * self.orders)
        return torch.einsum("bid,iod->bo", x, self.coefficients)


class ChebyshevByRecursion(Module):
    """Σᵢ Σₙ wₙ Tₙ(tanh xᵢ) with Tₙ = 2 x Tₙ₋₁ − Tₙ₋₂: arXiv 2405.07200."""

    def __init__(self, inputs: int, outputs: int, degree: int = 5) -> None:
        super().__init__()
        self.coefficients = torch.nn.ParameterList(
            [normal(inputs, outputs, scale=0.5) for _ in range(degree + 1)]
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(x)
        before, current = torch.ones_like(x), x
        total = before @ self.coefficients[0]
        for weights in list(self.coefficients)[1:]:
            total = total + current @ weights
            before, current = current, 2 * x * current - before
        return total


class Jacobi(Module):
    """Σᵢ Σₙ wₙ Pₙ⁽ᵃ·ᵇ⁾(tanh xᵢ) by the three-term recursion, a = b = 1, written into a tensor.

    JacobiKAN; the recursion is equation 22.7.1 of Abramowitz and Stegun.
    """

    def __init__(self, inputs: int, outputs: int, degree: int = 4) -> None:
        super().__init__()
        self.inputs, self.degree, self.a, self.b = inputs, degree, 1.0, 1.0
        self.coefficients = normal(inputs, outputs, degree + 1, scale=0.3)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.a, self.b
        x = torch.tanh(torch.reshape(x, (-1, self.inputs)))
        jacobi = torch.ones(x.shape[0], self.inputs, self.degree + 1, dtype=x.dtype)
        jacobi[:, :, 1] = ((a - b) + (a + b + 2) * x) / 2
        for n in range(2, self.degree + 1):
            k = (2 * n + a + b) * (2 * n + a + b - 1) / (2 * n * (n + a + b))
            l = (2 * n + a + b - 1) * (a * a - b * b)  # noqa: E741 (the source's name)
            l = l / (2 * n * (n + a + b) * (2 * n + a + b - 2))  # noqa: E741
            m = (n + a - 1) * (n + b - 1) * (2 * n + a + b)
            m = m / (n * (n + a + b) * (2 * n + a + b - 2))
            first, second = jacobi[:, :, n - 1].clone(), jacobi[:, :, n - 2].clone()
            jacobi[:, :, n] = (k * x + l) * first - m * second
        return torch.einsum("bid,iod->bo", jacobi, self.coefficients)


class Legendre(Module):
    """Σᵢ Σₙ wₙ Pₙ(x̂ᵢ), n Pₙ = (2n − 1) x Pₙ₋₁ − (n − 1) Pₙ₋₂, x̂ = clamp(x / 2) to ±1.

    Seydi, arXiv 2406.02583, without the layer norm that some add.
    """

    def __init__(self, inputs: int, outputs: int, degree: int = 4) -> None:
        super().__init__()
        self.degree = degree
        self.coefficients = normal(outputs, inputs * (degree + 1), scale=0.4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.clamp(x / 2, -1.0, 1.0)
        terms = [torch.ones_like(x), x]
        for n in range(2, self.degree + 1):
            terms.append(((2 * n - 1) * x * terms[-1] - (n - 1) * terms[-2]) / n)
        return torch.stack(terms, dim=-1).flatten(1) @ self.coefficients.T


class Gegenbauer(Module):
    """Σᵢ Σₙ wₙ Cₙ⁽ᵅ⁾(tanh xᵢ), n Cₙ = 2x(n + α − 1) Cₙ₋₁ − (n + 2α − 2) Cₙ₋₂: arXiv 2406.02583."""

    def __init__(self, inputs: int, outputs: int, degree: int = 3, alpha: float = 0.75) -> None:
        super().__init__()
        self.degree, self.alpha = degree, alpha
        self.coefficients = normal(degree + 1, inputs, outputs, scale=0.3)

    def forward(self, x: Tensor) -> Tensor:
        x, alpha = x.tanh(), self.alpha
        terms = [torch.ones_like(x), 2 * alpha * x]
        for n in range(2, self.degree + 1):
            rising = 2 * x * (n + alpha - 1) * terms[n - 1]
            terms.append((rising - (n + 2 * alpha - 2) * terms[n - 2]) / n)
        return torch.matmul(torch.stack(terms), self.coefficients).sum(0)


class Hermite(Module):
    """Σᵢ Σₙ wₙ Hₙ(tanh xᵢ) exp(−tanh² xᵢ / 2), Hₙ = 2x Hₙ₋₁ − 2(n − 1) Hₙ₋₂: arXiv 2406.02583."""

    def __init__(self, inputs: int, outputs: int, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        self.coefficients = normal(inputs, outputs, degree + 1, scale=0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(x)
        envelope = torch.exp(-(x**2) / 2)
        terms = [torch.ones_like(x), 2 * x]
        for n in range(2, self.degree + 1):
            terms.append(2 * x * terms[n - 1] - 2 * (n - 1) * terms[n - 2])
        basis = torch.stack([term * envelope for term in terms], dim=2)
        return torch.einsum("bid,iod->bo", basis, self.coefficients)


class Fractional(Module):
    """Σᵢ Σₙ wₙ Pₙ(2 σ(xᵢ)ᵅ − 1): Jacobi functions of fractional order, α > 0 of each input.

    fKAN (Aghaei, arXiv 2406.07456), with Legendre polynomials.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.alpha = torch.nn.Parameter(torch.rand(inputs) + 0.5)
        self.mix = torch.nn.Conv1d(inputs, outputs, kernel_size=4)
        torch.nn.init.normal_(self.mix.weight)

    def forward(self, x: Tensor) -> Tensor:
        z = 2 * torch.pow(torch.sigmoid(x), self.alpha) - 1
        terms = [torch.ones_like(z), z, (3 * z**2 - 1) / 2, (5 * z**3 - 3 * z) / 2]
        return self.mix(torch.stack(terms, dim=-1)).squeeze(-1)


class Rational(Module):
    """Σᵢ P(xᵢ) / (1 + |Q(xᵢ)|), P of degree 3, Q of degree 2 without a constant, for each edge.

    The safe Padé unit (Molina et al., arXiv 1907.06732), on edges as in rKAN (Aghaei, 2406.14495).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.numerator = normal(4, outputs, inputs, scale=0.5)
        self.denominator = normal(2, outputs, inputs, scale=0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, None, :]
        p, q = self.numerator, self.denominator
        above = p[0] + x * (p[1] + x * (p[2] + x * p[3]))
        below = 1 + torch.abs(x * (q[0] + x * q[1]))
        return (above / below).sum(-1)


# Periodic functions


class Fourier(Module):
    """Σᵢ Σₖ aₖ cos(k xᵢ) + bₖ sin(k xᵢ) + c, k = 1…K: FourierKAN (Xu et al., arXiv 2406.01034)."""

    def __init__(self, inputs: int, outputs: int, order: int = 3) -> None:
        super().__init__()
        self.inputs, self.order = inputs, order
        self.coefficients = normal(2, outputs, inputs, order, scale=(inputs * order) ** -0.5)
        self.bias = torch.nn.Parameter(torch.zeros(1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        k = torch.reshape(torch.arange(1, self.order + 1, dtype=x.dtype), (1, 1, 1, self.order))
        angles = x.view(x.shape[0], 1, x.shape[1], 1) * k
        shape = (1, x.shape[0], x.shape[1], self.order)
        both = torch.cat([torch.cos(angles).reshape(shape), torch.sin(angles).reshape(shape)], 0)
        return torch.einsum("dbik,djik->bj", both, self.coefficients) + self.bias


class Sine(Module):
    """Σᵢ Σₖ A sin(ωₖ xᵢ + φᵢₖ) + b with trained ω: SineKAN (Reinhardt et al., arXiv 2407.04149)."""

    def __init__(self, inputs: int, outputs: int, grid: int = 4) -> None:
        super().__init__()
        steps = torch.arange(1, grid + 1, dtype=torch.float32)
        self.frequencies = torch.nn.Parameter(steps.reshape(1, 1, 1, grid) / (grid + 1))
        phase = torch.linspace(0, torch.pi, grid) + torch.linspace(0, torch.pi, inputs)[:, None]
        self.phase = constant(phase.reshape(1, 1, inputs, grid))
        self.amplitudes = normal(1, outputs, inputs, grid)
        self.bias = normal(1, outputs, scale=0.1)

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.sin(x.view(-1, 1, x.shape[1], 1) * self.frequencies + self.phase)
        return torch.sum(waves * self.amplitudes, (2, 3)) + self.bias


# Piecewise polynomials


class ReluSquares(Module):
    """Σᵢ Σₖ wₖ (r · relu(eₖ − xᵢ) · relu(xᵢ − sₖ))²: ReLU-KAN (Qiu et al., arXiv 2406.02075).

    The sum is its convolution, whose window is the whole of (basis, inputs).
    """

    def __init__(self, inputs: int, outputs: int, grid: int = 4, k: int = 2) -> None:
        super().__init__()
        self.grid, self.k, self.inputs, self.outputs = grid, k, inputs, outputs
        self.r = 4 * grid * grid / ((k + 1) * (k + 1)) / 4
        low = torch.arange(-k, grid) / grid * 2 - 1
        self.phase_low = constant(low.expand(inputs, -1))
        self.phase_high = constant((low + (k + 1) / grid * 2).expand(inputs, -1))
        self.equal_size_conv = torch.nn.Conv2d(1, outputs, (grid + k, inputs))
        torch.nn.init.normal_(self.equal_size_conv.weight, std=0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(2)
        left = torch.relu(x - self.phase_low)
        right = torch.relu(self.phase_high - x)
        bumps = left * right * self.r
        bumps = bumps * bumps
        bumps = bumps.reshape((-1, 1, self.grid + self.k, self.inputs))
        return self.equal_size_conv(bumps).reshape((-1, self.outputs))


class LinearByGather(Module):
    """Σᵢ (1 − t) v[j] + t v[j + 1], j the cell of xᵢ and t the place within it, from a table.

    Piecewise linear edges as Poluektov and Polar (arXiv 2305.08194) train them.
    """

    def __init__(self, inputs: int, outputs: int, cells: int = 8) -> None:
        super().__init__()
        self.inputs, self.outputs, self.cells = inputs, outputs, cells
        self.values = normal(outputs * inputs, cells + 1)

    def forward(self, x: Tensor) -> Tensor:
        place = torch.clamp((x + 2) / 4 * self.cells, 0.0, float(self.cells))
        cell = torch.clamp(torch.floor(place), max=self.cells - 1)
        rows = torch.arange(self.outputs * self.inputs).view(1, self.outputs, self.inputs)
        index = rows * (self.cells + 1) + cell.long().unsqueeze(1)
        table = self.values.reshape(-1)
        lower, upper = table[index], table[index + 1]
        part = (place - cell).unsqueeze(1)
        return (lower + part * (upper - lower)).sum(dim=2)


class LinearBySearch(Module):
    """Σᵢ v[j] + (xᵢ − gⱼ) s[j] over knots of unequal distance, j the number of knots below xᵢ.

    What `searchsorted` gives, by comparisons; outside the knots the first and last slopes go on.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.knots = constant([-1.5, -0.9, -0.2, 0.1, 0.7, 1.6])
        self.values = normal(inputs, 6, outputs)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.knots[1:-1]
        cell = (x.unsqueeze(-1) >= inner).sum(-1)
        gaps = (self.knots[1:] - self.knots[:-1]).unsqueeze(-1)
        slopes = (self.values[:, 1:] - self.values[:, :-1]) / gaps
        inputs = torch.arange(x.shape[1]).expand_as(cell)
        start, slope = self.values[inputs, cell], slopes[inputs, cell]
        return (start + (x - self.knots[cell]).unsqueeze(-1) * slope).sum(1)


class SplineMatrix(Module):
    """Σᵢ [1 t t² t³] M c[j … j + 3]: cubic B-splines by the matrix of a cell, j = ⌊(xᵢ − a) / h⌋.

    Qin, General matrix representations for B-splines, The Visual Computer 16, 2000.
    """

    def __init__(self, inputs: int, outputs: int, cells: int = 6) -> None:
        super().__init__()
        self.cells = cells
        matrix = [[1.0, 4.0, 1.0, 0.0], [-3.0, 0.0, 3.0, 0.0]]
        matrix += [[3.0, -6.0, 3.0, 0.0], [-1.0, 3.0, -3.0, 1.0]]
        self.matrix = constant(torch.tensor(matrix) / 6)
        self.coefficients = normal(inputs, cells + 3, outputs)

    def forward(self, x: Tensor) -> Tensor:
        place = (x.clamp(-2, 2) + 2) * (self.cells / 4)
        cell = place.floor().clamp(0, self.cells - 1)
        t = place - cell
        powers = torch.stack([torch.ones_like(t), t, t * t, t * t * t], dim=-1)
        local = powers @ self.matrix
        index = cell.long().unsqueeze(-1) + torch.arange(4)
        inputs = torch.arange(x.shape[1]).view(1, -1, 1)
        chosen = self.coefficients[inputs, index]
        return torch.einsum("bik,biko->bo", local, chosen)


def de_boor(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """B-splines (batch, in, K - 1 - degree) over knots (K): equation 5 of de Boor 1972."""
    x = x.unsqueeze(-1)
    values = ((x >= knots[:-1]) & (x < knots[1:])).to(x.dtype)
    for k in range(1, degree + 1):
        rising = (x - knots[: -k - 1]) / (knots[k:-1] - knots[: -k - 1])
        falling = (knots[k + 1 :] - x) / (knots[k + 1 :] - knots[1:-k])
        values = rising * values[..., :-1] + falling * values[..., 1:]
    return values


class SplinesAndRadial(Module):
    """Σᵢ w silu(xᵢ) + Σₖ wₖ (Bₖ(xᵢ) + exp(−((xᵢ − cₖ) / h)²)), one weight for both.

    BSRBF-KAN (Ta, arXiv 2406.11173) without its layer norm.
    """

    def __init__(self, inputs: int, outputs: int, grid: int = 4, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        self.knots = constant((torch.arange(-degree, grid + degree + 1) / grid) * 3 - 1.5)
        self.centers = constant(torch.linspace(-1.5, 1.5, grid + degree))
        self.base_weight = normal(outputs, inputs, scale=0.5)
        self.spline_weight = normal(outputs, inputs * (grid + degree), scale=0.5)

    def forward(self, x: Tensor) -> Tensor:
        functional = torch.nn.functional
        base = functional.linear(functional.silu(x), self.base_weight)
        width = self.centers[1] - self.centers[0]
        radial = torch.exp(-(((x.unsqueeze(-1) - self.centers) / width) ** 2))
        both = de_boor(x, self.knots, self.degree) + radial
        return base + functional.linear(both.reshape(x.size(0), -1), self.spline_weight)


# Small networks as edges, and base functions


class EdgeNetworks(Module):
    """Σᵢ v · tanh(u xᵢ + a) + b, a network of one hidden layer for each edge.

    Agarwal et al., Neural additive models, arXiv 2004.13912, as a layer.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int = 5) -> None:
        super().__init__()
        self.first = normal(outputs, inputs, hidden, scale=1.5)
        self.bias = normal(outputs, inputs, hidden)
        self.second = normal(outputs, inputs, hidden, hidden, scale=hidden**-0.5)
        self.third = normal(outputs, inputs, hidden, scale=hidden**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(torch.einsum("bi,oih->boih", x, self.first) + self.bias)
        hidden = torch.relu(torch.einsum("boih,oihk->boik", hidden, self.second))
        return torch.einsum("boik,oik->bo", hidden, self.third)


class TanhSeries(Module):
    """Σᵢ Σₖ v tanh(u xᵢ + a): edges as Kůrková 1992 approximates them, by a grouped convolution."""

    def __init__(self, inputs: int, outputs: int, terms: int = 4) -> None:
        super().__init__()
        self.stretch = torch.nn.Conv1d(inputs, inputs * terms, kernel_size=1, groups=inputs)
        self.mix = torch.nn.Conv1d(inputs * terms, outputs, kernel_size=1)
        for part in (self.stretch, self.mix):
            torch.nn.init.normal_(part.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(torch.tanh(self.stretch(x.unsqueeze(-1)))).squeeze(-1)


class SoftBases(Module):
    """Σᵢ u softplus(xᵢ) + v logsigmoid(2 xᵢ) + w mish(xᵢ) + b: base functions of several kinds."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.soft = torch.nn.Linear(inputs, outputs)
        self.log = torch.nn.Linear(inputs, outputs, bias=False)
        self.mish = torch.nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        functional = torch.nn.functional
        soft, log = functional.softplus(x), functional.logsigmoid(2 * x)
        return self.soft(soft) + self.log(log) + self.mish(functional.mish(x))


# Networks


def sequence(layer: Callable[[int, int], Any]) -> Any:
    return torch.nn.Sequential(layer(INPUTS, HIDDEN), layer(HIDDEN, OUTPUTS))


def three_layers(layer: Callable[[int, int], Any]) -> Any:
    return torch.nn.Sequential(layer(INPUTS, HIDDEN), layer(HIDDEN, 3), layer(3, 2))


class Skip(Module):
    """x + f(x), then a layer: residual connections (He et al., arXiv 1512.03385)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Fourier(INPUTS, INPUTS), MexicanHat(INPUTS, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(x + self.first(x))


class Dense(Module):
    """Every layer reads all that came before it: Huang et al., arXiv 1608.06993."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Rational(INPUTS, 3), Sine(INPUTS + 3, 2)
        self.last = EdgeNetworks(INPUTS + 5, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, self.first(x)], dim=1)
        return self.last(torch.cat([x, self.second(x)], dim=1))


def batch_norms() -> Any:
    """A batch norm before each layer, with statistics as training leaves them (1502.03167)."""
    norms = [torch.nn.BatchNorm1d(size) for size in (INPUTS, HIDDEN)]
    for norm in norms:
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 2.0)
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, 0, 0.3)
    layers = TanhSeries(INPUTS, HIDDEN), Fractional(HIDDEN, OUTPUTS)
    return torch.nn.Sequential(norms[0], layers[0], norms[1], layers[1])


class MinMaxScaled(Module):
    """Inputs scaled to ±1 by the least and largest values of the training data, as constants."""

    def __init__(self) -> None:
        super().__init__()
        self.least = constant(torch.rand(INPUTS) - 2.5)
        self.largest = constant(torch.rand(INPUTS) + 1.5)
        self.layers = sequence(SplineMatrix)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(2 * (x - self.least) / (self.largest - self.least) - 1)


class Standardised(Module):
    """Raw measurements, standardised by the mean and deviation of the training data, then layers.

    The means and deviations are those of five features of the wine data (Aeberhard and Forina,
    UCI, 1991): the inputs lie between 0.1 and 2000, and none near 0 alone.
    """

    mean = (746.9, 99.74, 13.0, 19.49, 0.362)
    deviation = (314.9, 14.28, 0.812, 3.34, 0.124)

    def __init__(self, layer: Callable[[int, int], Any]) -> None:
        super().__init__()
        self.shift, self.scale = constant(self.mean), constant(self.deviation)
        self.layers = sequence(layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers((x - self.shift) / self.scale)


STANDARDISED: dict[str, Callable[[int, int], Any]] = {
    "gaussian_radial": GaussianRadial,
    "mexican_hat": MexicanHat,
    "linear_by_gather": LinearByGather,
    "spline_matrix": SplineMatrix,
    "relu_squares": ReluSquares,
    "edge_networks": EdgeNetworks,
}
"""Name -> layers of a `Standardised` network."""


VARIANTS: dict[str, Callable[[], Any]] = {
    "gaussian_radial": lambda: three_layers(GaussianRadial),
    "mexican_hat": lambda: sequence(MexicanHat),
    "morlet": lambda: sequence(Morlet),
    "chebyshev_by_cosine": lambda: three_layers(ChebyshevByCosine),
    "chebyshev_by_recursion": lambda: sequence(ChebyshevByRecursion),
    "jacobi": lambda: sequence(Jacobi),
    "legendre": lambda: sequence(Legendre),
    "gegenbauer": lambda: sequence(Gegenbauer),
    "hermite": lambda: sequence(Hermite),
    "fractional": lambda: sequence(Fractional),
    "rational": lambda: sequence(Rational),
    "fourier": lambda: sequence(Fourier),
    "sine": lambda: three_layers(Sine),
    "relu_squares": lambda: sequence(ReluSquares),
    "linear_by_gather": lambda: sequence(LinearByGather),
    "linear_by_search": lambda: sequence(LinearBySearch),
    "spline_matrix": lambda: sequence(SplineMatrix),
    "splines_and_radial": lambda: sequence(SplinesAndRadial),
    "edge_networks": lambda: sequence(EdgeNetworks),
    "tanh_series": lambda: sequence(TanhSeries),
    "soft_bases": lambda: sequence(SoftBases),
    "skip": Skip,
    "dense": Dense,
    "batch_norms": batch_norms,
    "min_max_scaled": MinMaxScaled,
}
"""Name -> network (batch, 5) to (batch, 2 or 3)."""


# What is no Kolmogorov-Arnold network


class Normalised(Module):
    """A layer norm between two layers, written out (Ba et al., arXiv 1607.06450)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = GaussianRadial(INPUTS, HIDDEN), GaussianRadial(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        centered = x - x.mean(dim=1, keepdim=True)
        return self.second(centered / torch.sqrt((centered**2).mean(dim=1, keepdim=True) + 1e-5))


class Gated(Module):
    """Nodes that are products of two: gated linear units (Dauphin et al., arXiv 1612.08083)."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate = Fourier(INPUTS, HIDDEN), Fourier(INPUTS, HIDDEN)
        self.last = Fourier(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.value(x) * torch.sigmoid(self.gate(x)))


class Attending(Module):
    """Hidden nodes weighed by a softmax of scores: Vaswani et al., arXiv 1706.03762."""

    def __init__(self) -> None:
        super().__init__()
        self.score, self.value = Morlet(INPUTS, HIDDEN), Morlet(INPUTS, HIDDEN)
        self.last = torch.nn.Linear(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.softmax(self.score(x), dim=1) * self.value(x))


class RowScaled(Module):
    """Hidden nodes scaled by the least and the largest of their row."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Sine(INPUTS, HIDDEN), Sine(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        least, largest = x.amin(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
        return self.second((x - least) / (largest - least + 1e-6))


class BatchScaled(Module):
    """Inputs scaled by the least and the largest of the batch: other samples change a result."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = sequence(Sine)

    def forward(self, x: Tensor) -> Tensor:
        least, largest = x.amin(dim=0, keepdim=True), x.amax(dim=0, keepdim=True)
        return self.layers((x - least) / (largest - least + 1e-6))


class WeaklyMixed(Module):
    """A KAN, but for 10⁻⁴ x₀ x₁ that one hidden node adds."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Fourier(INPUTS, HIDDEN), Fourier(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        hidden = torch.cat([hidden[:, :1] + 1e-4 * x[:, :1] * x[:, 1:2], hidden[:, 1:]], dim=1)
        return self.second(hidden)


class FarMixed(Module):
    """Inputs up to `reach`; what x₁ adds to a hidden node depends on whether x₀ > reach / 2."""

    def __init__(self, reach: float) -> None:
        super().__init__()
        self.reach = reach
        self.first, self.second = LinearByGather(INPUTS, HIDDEN), LinearByGather(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = x / self.reach
        extra = torch.where(x[:, :1] > 0.5, torch.sin(3 * x[:, 1:2]), torch.zeros_like(x[:, :1]))
        return self.second(self.first(x) + extra)


class FarNode(Module):
    """A KAN with inputs up to `reach`: one of its nodes is 0 unless x₀ + x₁ > reach / 2."""

    def __init__(self, reach: float) -> None:
        super().__init__()
        self.reach = reach
        self.first, self.second = LinearByGather(INPUTS, HIDDEN), LinearByGather(HIDDEN, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        x = x / self.reach
        return self.second(self.first(x) + torch.relu(x[:, :1] + x[:, 1:2] - 0.5))


NO_KANS: dict[str, tuple[Callable[[], Any], str]] = {
    "normalised": (Normalised, "Div|ReduceMean|Sqrt|Mul|Pow"),
    "gated": (Gated, "Mul"),
    "attending": (Attending, "Softmax|Mul"),
    "row_scaled": (RowScaled, "ReduceM(in|ax)|Div|Sub"),
    "batch_scaled": (BatchScaled, "ReduceM(in|ax)|batch"),
    "weakly_mixed": (WeaklyMixed, "Mul"),
}
"""Name -> network, and what its refusal names (a regular expression): the op that mixes."""


def make(name: str) -> Any:
    """The network of this name in evaluation mode, always with the same weights."""
    torch.manual_seed(sum(name.encode()))
    build = VARIANTS[name] if name in VARIANTS else NO_KANS[name][0]
    return build().eval()
