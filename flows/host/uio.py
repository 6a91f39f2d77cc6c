"""The example for Linux: NAME_uio.c, which runs samples through registers by /dev/uio."""

from __future__ import annotations

from collections.abc import Sequence

from kan_dialect.flows.host.registers import DriverRegisters
from kan_dialect.model.interface import Interface

MAP_REGISTERS = """\
    const int device = open(argv[1], O_RDWR | O_SYNC);
    if (device < 0) {
        fprintf(stderr, "%s: %s\\n", argv[1], strerror(errno));
        return 1;
    }
    // Map 0 of the device: its registers.
    void *map = mmap(NULL, REGISTERS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
    if (map == MAP_FAILED) {
        fprintf(stderr, "%s: %s\\n", argv[1], strerror(errno));
        close(device);
        return 1;
    }
"""
"""Statements that map the registers of the device argv[1], as `device` and `map`."""

_SOURCE = (
    """\
// Runs samples of @name@ through the registers of @name@_axi_lite, by Linux' userspace I/O.
//
//     cc -O2 -o @name@_uio @name@_uio.c
//     ./@name@_uio /dev/uio0 < samples.txt
//
// It reads @inputs@ numbers a sample from standard input, and prints the @outputs@ outputs of each
// in a line. The device tree gives the registers to a driver of uio, such as generic-uio:
//
//     @name@@a0000000 { compatible = "generic-uio"; reg = <0xa0000000 0x1000>; };

#define _POSIX_C_SOURCE 200809L

#include "@name@_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define REGISTERS_BYTES @size@
#define REGISTER_ID @identity@
#define REGISTER_HASH @hash@
#define REGISTER_CONTROL @control@
#define REGISTER_STATUS @status@
#define START 1u
#define DONE 2u

// Offsets of the registers of each port, the lowest bits first; -1 where a port has no second one.
static const int input_registers[@NAME@_INPUTS][2] = @input_registers@;
static const int output_registers[@NAME@_OUTPUTS][2] = @output_registers@;

static uint32_t read_register(const volatile uint32_t *registers, int offset)
{
    return registers[offset / 4];
}

static void write_register(volatile uint32_t *registers, int offset, uint32_t value)
{
    registers[offset / 4] = value;
}

// Output codes of a sample. Returns 0, or -1 where the hardware is not done in a second.
static int run(volatile uint32_t *registers, const @name@_code x[@NAME@_INPUTS],
               @name@_code y[@NAME@_OUTPUTS])
{
    for (int i = 0; i < @NAME@_INPUTS; ++i) {
        const uint64_t bits = (uint64_t)(int64_t)x[i];
        write_register(registers, input_registers[i][0], (uint32_t)(bits & UINT32_MAX));
        if (input_registers[i][1] >= 0)
            write_register(registers, input_registers[i][1], (uint32_t)(bits >> 32));
    }
    write_register(registers, REGISTER_CONTROL, START);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const time_t end = now.tv_sec + 2;
    while ((read_register(registers, REGISTER_STATUS) & DONE) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec >= end) return -1;
    }
    for (int i = 0; i < @NAME@_OUTPUTS; ++i) {
        const int wide = output_registers[i][1] >= 0;
        uint64_t bits = read_register(registers, output_registers[i][0]);
        if (wide) bits |= (uint64_t)read_register(registers, output_registers[i][1]) << 32;
        // Registers are filled by the sign of codes that go below 0.
        const uint64_t top = wide ? (uint64_t)1 << 63 : (uint64_t)1 << 31;
        int64_t code;
        if (@name@_outputs[i].lowest < 0 && (bits & top) != 0)
            code = -(int64_t)((top - 1) - (bits & (top - 1))) - 1;
        else
            code = (int64_t)bits;
        y[i] = (@name@_code)code;
    }
    return 0;
}

static int run_samples(volatile uint32_t *registers)
{
    double x[@NAME@_INPUTS], y[@NAME@_OUTPUTS];
    @name@_code in[@NAME@_INPUTS], out[@NAME@_OUTPUTS];
    if (read_register(registers, REGISTER_ID) != @identity_value@u ||
        read_register(registers, REGISTER_HASH) != @hash_value@u) {
        fprintf(stderr, "these are not the registers of this build of @name@\\n");
        return 1;
    }
    for (;;) {
        for (int i = 0; i < @NAME@_INPUTS; ++i) {
            if (scanf("%lf", &x[i]) != 1) {
                if (i == 0 && feof(stdin)) return 0;
                fprintf(stderr, "expected %d numbers a sample\\n", @NAME@_INPUTS);
                return 1;
            }
        }
        if (@name@_encode(x, in) != 0) {
            fprintf(stderr, "an input is not a number\\n");
            return 1;
        }
        if (run(registers, in, out) != 0) {
            fprintf(stderr, "the hardware is not done after a second\\n");
            return 1;
        }
        @name@_decode(out, y);
        for (int i = 0; i < @NAME@_OUTPUTS; ++i) printf(i == 0 ? "%.17g" : " %.17g", y[i]);
        printf("\\n");
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s /dev/uio0 < samples.txt\\n", argv[0]);
        return 2;
    }
"""
    + MAP_REGISTERS
    + """\
    const int result = run_samples((volatile uint32_t *)map);
    munmap(map, REGISTERS_BYTES);
    close(device);
    return result;
}
"""
)


def uio_example(interface: Interface, registers: DriverRegisters) -> str:
    """The text of NAME_uio.c."""
    values = {
        "size": registers.size,
        "identity_value": hex(registers.identity_value),
        "identity": registers.identity,
        "hash_value": hex(registers.hash_value),
        "hash": registers.hash,
        "control": registers.control,
        "status": registers.status,
        "input_registers": _pairs(registers.inputs),
        "output_registers": _pairs(registers.outputs),
        "inputs": len(interface.inputs),
        "outputs": len(interface.outputs),
        "NAME": interface.name.upper(),
        "name": interface.name,
    }
    text = _SOURCE
    for marker, value in values.items():
        text = text.replace(f"@{marker}@", str(value))
    return text


def _pairs(ports: Sequence[tuple[int, ...]]) -> str:
    rows = [(*offsets, -1)[:2] for offsets in ports]
    return "{\n" + "\n".join(f"    {{{low}, {high}}}," for low, high in rows) + "\n}"
