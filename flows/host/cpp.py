"""The C++ class over codec and emulator: NAME.hpp."""

from __future__ import annotations

from kan_dialect.flows.host.c_text import filled
from kan_dialect.flows.host.python_emulator import Rule, class_rule
from kan_dialect.model.interface import Interface

_HEADER = """\
// @name@ for C++17: codes and real values of the hardware, bit for bit.
//
// A thin class over @name@_codec.h and @name@_emulator.c; compile the latter as C99 or C++17 and
// link it.
//
//     @name@_network::outputs y = @name@_network::predict(x);  // x: std::array<double, @inputs@>

#ifndef @NAME@_HPP
#define @NAME@_HPP

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "@name@_codec.h"
#include "@name@_emulator.h"

// Functions keep no state; the class only groups names.
class @name@_network {
public:
    using code = @name@_code;
    using inputs = std::array<double, @NAME@_INPUTS>;
    using outputs = std::array<double, @NAME@_OUTPUTS>;
    using input_codes = std::array<code, @NAME@_INPUTS>;
    using output_codes = std::array<code, @NAME@_OUTPUTS>;

    // Input codes of real values. Values beyond the codes saturate.
    // Throws std::invalid_argument where a value is NaN.
    static input_codes encode(const inputs &x)
    {
        input_codes codes;
        if (@name@_encode(x.data(), codes.data()) != 0)
            throw std::invalid_argument("@name@: an input is NaN");
        return codes;
    }

    // Real values of output codes.
    static outputs decode(const output_codes &codes)
    {
        outputs y;
        @name@_decode(codes.data(), y.data());
        return y;
    }

    // Output codes of input codes.
    // Throws std::out_of_range where a code is outside the range of its port.
    static output_codes run(const input_codes &x)
    {
        output_codes y;
        if (@name@_run(1, x.data(), y.data()) != 1)
            throw std::out_of_range("@name@: a code is outside the range of its port");
        return y;
    }

    // The same for many samples.
    static std::vector<output_codes> run(const std::vector<input_codes> &x)
    {
        static_assert(sizeof(input_codes) == @NAME@_INPUTS * sizeof(code), "codes are packed");
        static_assert(sizeof(output_codes) == @NAME@_OUTPUTS * sizeof(code), "codes are packed");
        std::vector<output_codes> y(x.size());
        if (x.empty()) return y;
        const std::size_t done = @name@_run(x.size(), x.front().data(), y.front().data());
        if (done != x.size())
            throw std::out_of_range("@name@: a code of sample " + std::to_string(done) +
                                    " is outside the range of its port");
        return y;
    }

    // Real outputs of the hardware: x is encoded, run and decoded.
    static outputs predict(const inputs &x) { return decode(run(encode(x))); }

    // The class: @what@.
    static std::size_t classify(const inputs &x)
    {
        const outputs y = predict(x);
@how@
    }@names@
};

#endif
"""


_CLASSES: dict[Rule, tuple[str, str]] = {
    "first": (
        "the first output, which the hardware decides",
        "        return static_cast<std::size_t>(y[0]);",
    ),
    "sign": ("1 where the output is positive, else 0", "        return y[0] > 0 ? 1 : 0;"),
    "largest": (
        "the place of the largest output, the first of equal ones",
        "        std::size_t best = 0;\n"
        "        for (std::size_t i = 1; i < y.size(); ++i)\n"
        "            if (y[i] > y[best]) best = i;\n"
        "        return best;",
    ),
}
"""What the function says of itself, and its end."""


def cpp_header(interface: Interface, *, first_is_class: bool) -> str:
    """The text of NAME.hpp.

    Parameters
    ----------
    first_is_class : whether the first output is the class: a head decides in hardware.
    """
    what, how = _CLASSES[class_rule(interface, first_is_class=first_is_class)]
    return filled(
        _HEADER,
        name=interface.name,
        NAME=interface.name.upper(),
        inputs=len(interface.inputs),
        what=what,
        how=how,
        names=_names(interface),
    )


def _names(interface: Interface) -> str:
    """Functions that give names of features and classes, as far as they are known."""
    text = ""
    for what, texts in (("feature", interface.features), ("class", interface.classes)):
        if texts:
            value = f"{interface.name}_{what}_names[index]"
            text += f"\n\n    // Name of a {what} in the data.\n"
            text += f"    static const char *{what}_name(std::size_t index) {{ return {value}; }}"
    return text
