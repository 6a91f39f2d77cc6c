// Plays a plan (see plan.py) on a design compiled by Verilator, and records its outputs.
//
// ports.h is generated for each design. All files are arrays of native integers without a header.
// Inputs are a control byte a cycle, and an InputWord for each input a cycle. Outputs are a byte of
// flags a cycle, and an OutputWord for each output a cycle.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ports.h"
#include "verilated.h"

namespace {

constexpr size_t CHUNK = 4096;  // cycles

[[noreturn]] void die(const char* what, const char* path) {
    std::fprintf(stderr, "error: cannot %s %s\n", what, path);
    std::exit(1);
}

std::FILE* open_file(const char* path, const char* mode) {
    std::FILE* const file = std::fopen(path, mode);
    if (!file) die("open", path);
    return file;
}

template <class Word>
void write(const std::vector<Word>& words, size_t count, std::FILE* file, const char* path) {
    if (std::fwrite(words.data(), sizeof(Word), count, file) != count) die("write", path);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) die("run without the paths of", "CONTROL INPUTS FLAGS OUTPUTS");
    std::FILE* const control_file = open_file(argv[1], "rb");
    std::FILE* const inputs_file = open_file(argv[2], "rb");
    std::FILE* const flags_file = open_file(argv[3], "wb");
    std::FILE* const outputs_file = open_file(argv[4], "wb");
    std::vector<uint8_t> control(CHUNK), flags(CHUNK);
    std::vector<InputWord> inputs(CHUNK * INPUTS);
    std::vector<OutputWord> outputs(CHUNK * OUTPUTS);

    VerilatedContext context;
    context.randReset(2);  // random initial values of registers, unless reset sets them
    context.randSeed(1);
    Design design{&context};
    while (const size_t cycles = std::fread(control.data(), 1, CHUNK, control_file)) {
        const size_t words = cycles * INPUTS;
        if (std::fread(inputs.data(), sizeof(InputWord), words, inputs_file) != words) {
            die("read", argv[2]);
        }
        for (size_t cycle = 0; cycle < cycles; ++cycle) {
            set_clock(design, 0);
            drive(design, control[cycle], &inputs[cycle * INPUTS]);
            design.eval();
            flags[cycle] = sample(design, &outputs[cycle * OUTPUTS]);
            set_clock(design, 1);
            if (CLOCKED) design.eval();
        }
        write(flags, cycles, flags_file, argv[3]);
        write(outputs, cycles * OUTPUTS, outputs_file, argv[4]);
    }
    design.final();
    if (std::fclose(flags_file) || std::fclose(outputs_file)) die("write", argv[4]);
    return 0;
}
