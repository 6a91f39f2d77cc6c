"""The example for Linux of hardware that trains: NAME_uio.c, samples by /dev/uio."""

from __future__ import annotations

from kan_dialect.flows.host.registers import DriverRegisters
from kan_dialect.flows.host.training_pynq import fixed_numbers
from kan_dialect.flows.host.uio import MAP_REGISTERS
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.wrappers.register_map import RegisterMap
from kan_dialect.model.training.training_step import Step

_SOURCE = (
    """\
// Trains @name@ through the registers of @name@_axi_lite, by Linux' userspace I/O.
//
//     cc -O2 -o @name@_uio @name@_uio.c -lm
//     ./@name@_uio /dev/uio0 train < samples.txt
//     ./@name@_uio /dev/uio0 predict < inputs.txt
//
// It reads @inputs@ numbers a sample from standard input, to train also its @outputs@ @target@, and
// prints the @outputs@ outputs of each in a line; those of a sample that trains are from before its
// update. The device tree gives the registers to a driver of uio, such as generic-uio:
//
//     @name@@a0000000 { compatible = "generic-uio"; reg = <0xa0000000 0x1000>; };

#define _POSIX_C_SOURCE 200809L

#include "@name@_registers.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define REGISTERS_BYTES @size@
#define INPUTS @inputs@
#define OUTPUTS @outputs@

// A code q of so many bits stands for q / 2^fraction.
struct number {
    int bits, fraction;
};

static const struct number input_number = {@number@};
static const struct number target_number = {@target_number@};
static const struct number output_number = {@output_number@};

static const unsigned input_registers[INPUTS] = {@input_registers@};
static const unsigned target_registers[OUTPUTS] = {@target_registers@};
static const unsigned output_registers[OUTPUTS] = {@output_registers@};

// Rounded half to even, saturated.
static uint32_t encode(double value, struct number number)
{
    const double end = ldexp(1.0, number.bits - 1);
    double code = rint(ldexp(value, number.fraction));
    if (code < -end) code = -end;
    if (code > end - 1.0) code = end - 1.0;
    return (uint32_t)((int64_t)code & UINT32_MAX);
}

static double decode(uint32_t word, struct number number)
{
    int64_t code = (int64_t)word;
    if (code >> 31 != 0) code -= (int64_t)1 << 32;
    return ldexp((double)code, -number.fraction);
}

// Returns 0, or -1 where the hardware is not done in a second.
static int run(volatile uint32_t *registers, const double *x, const double *target, double *y)
{
    for (int i = 0; i < INPUTS; ++i) registers[input_registers[i] / 4] = encode(x[i], input_number);
    uint32_t command = @NAME@_BIT_START;
    if (target != NULL) {
        command |= @NAME@_BIT_TRAIN;
        for (int i = 0; i < OUTPUTS; ++i)
            registers[target_registers[i] / 4] = encode(target[i], target_number);
    }
    registers[@NAME@_CONTROL / 4] = command;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const time_t end = now.tv_sec + 2;
    while ((registers[@NAME@_STATUS / 4] & @NAME@_BIT_DONE) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= end) return -1;
    }
    for (int i = 0; i < OUTPUTS; ++i)
        y[i] = decode(registers[output_registers[i] / 4], output_number);
    return 0;
}

static int run_samples(volatile uint32_t *registers, int trains)
{
    const int wanted = trains ? INPUTS + OUTPUTS : INPUTS;
    double given[INPUTS + OUTPUTS], y[OUTPUTS];
    if (registers[@NAME@_ID / 4] != @NAME@_ID_VALUE ||
        registers[@NAME@_HASH / 4] != @NAME@_HASH_VALUE) {
        fprintf(stderr, "these are not the registers of this build of @name@\\n");
        return 1;
    }
    for (;;) {
        for (int i = 0; i < wanted; ++i) {
            if (scanf("%lf", &given[i]) != 1) {
                if (i == 0 && feof(stdin)) return 0;
                fprintf(stderr, "expected %d numbers a sample\\n", wanted);
                return 1;
            }
            if (isnan(given[i])) {
                fprintf(stderr, "a value is not a number\\n");
                return 1;
            }
        }
        if (run(registers, given, trains ? given + INPUTS : NULL, y) != 0) {
            fprintf(stderr, "the hardware is not done after a second\\n");
            return 1;
        }
        for (int i = 0; i < OUTPUTS; ++i) printf(i == 0 ? "%.17g" : " %.17g", y[i]);
        printf("\\n");
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const int trains = argc == 3 && strcmp(argv[2], "train") == 0;
    if (argc != 3 || (!trains && strcmp(argv[2], "predict") != 0)) {
        fprintf(stderr, "usage: %s /dev/uio0 train|predict < samples.txt\\n", argv[0]);
        return 2;
    }
"""
    + MAP_REGISTERS
    + """\
    const int result = run_samples((volatile uint32_t *)map, trains);
    munmap(map, REGISTERS_BYTES);
    close(device);
    return result;
}
"""
)


def training_example(step: Step, registers: RegisterMap) -> str:
    """The text of NAME_uio.c of hardware that trains. It includes NAME_registers.h.

    Raises
    ------
    KanError : the step is real-valued.
    """
    number, target, output = fixed_numbers(step)
    inputs, outputs = tensor_shape(step.input)[0], tensor_shape(step.output)[0]
    prefix, letter = step.name.upper(), "E" if step.fed_error else "T"

    def listed(name: str, count: int) -> str:
        # A fixed-point number has 32 bits at most, so that a port has one register.
        return ", ".join(f"{prefix}_{name}{index}" for index in range(count))

    values = {
        "size": DriverRegisters.of(registers).size,
        "number": f"{number[0]}, {number[1]}",
        "target_number": f"{target[0]}, {target[1]}",
        "output_number": f"{output[0]}, {output[1]}",
        "input_registers": listed("X", inputs),
        "target_registers": listed(letter, outputs),
        "output_registers": listed("Y", outputs),
        "inputs": inputs,
        "outputs": outputs,
        "target": "errors" if step.fed_error else "targets",
        "NAME": prefix,
        "name": step.name,
    }
    text = _SOURCE
    for marker, value in values.items():
        text = text.replace(f"@{marker}@", str(value))
    return text
