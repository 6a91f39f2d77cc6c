// Plays transactions on a design that trains itself, compiled by Verilator.
//
// ports.h is generated for each design. Standard input carries transactions: records of RECORD
// 64-bit integers, kind and arguments. A SYNC waits until the design is empty. Then the results since
// the last SYNC go to standard output: the number of outputs and the outputs, the number of words
// read and the words, and the number of clock cycles since the start.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ports.h"
#include "verilated.h"

namespace {

enum Kind : int64_t { INFER, TRAIN, WRITE, READ, IDLE, SYNC };

constexpr int64_t PATIENCE = 1000;  // cycles without progress

struct Player {
    VerilatedContext context;
    Design design{&context};
    std::vector<int64_t> outputs, words;
    int64_t cycles = 0, samples = 0, reads = 0;

    void tick() {
        design.eval();
        if (design.out_valid) {
            for (size_t index = 0; index < OUTPUTS; ++index) {
                outputs.push_back(output(design, index));
            }
        }
        if (design.mem_read_valid) words.push_back(word(design));
        design.clk = 1;
        design.eval();
        design.clk = 0;
        ++cycles;
    }

    void reset() {
        design.clk = 0;
        design.rst = 1;
        design.in_valid = design.mem_valid = 1;  // reset wins
        design.mem_write = 0;
        tick();
        design.rst = design.in_valid = design.mem_valid = 0;
        for (int cycle = 0; cycle < 64; ++cycle) tick();
        outputs.clear();
        words.clear();
        cycles = 0;
    }

    void sample(const int64_t* arguments, bool train) {
        set_inputs(design, arguments);
        design.train = train;
        design.in_valid = 1;
        wait_for(design.in_ready);
        tick();
        design.in_valid = 0;
        ++samples;
    }

    void access(const int64_t* arguments, bool write) {
        design.mem_address = arguments[0];
        design.mem_data = arguments[1] & DATA_MASK;
        design.mem_write = write;
        design.mem_valid = 1;
        wait_for(design.mem_ready);
        tick();
        design.mem_valid = 0;
        reads += !write;
    }

    // Runs until a signal is 1 in the current cycle, before its clock edge.
    void wait_for(const CData& signal) {
        for (int64_t waited = 0; design.eval(), !signal; ++waited) {
            if (waited == PATIENCE) die("the design is never ready");
            tick();
        }
    }

    void drain() {
        const auto missing = [this] {
            return outputs.size() != OUTPUTS * samples || words.size() != size_t(reads);
        };
        for (int64_t waited = 0; missing(); ++waited) {
            if (waited == PATIENCE) die("results are missing");
            tick();
        }
        for (int cycle = 0; cycle < 64; ++cycle) tick();
        if (missing()) die("there are more results than samples");
    }

    void report() {
        drain();
        const int64_t counts[] = {int64_t(outputs.size()), int64_t(words.size())};
        write(&counts[0], 1);
        write(outputs.data(), outputs.size());
        write(&counts[1], 1);
        write(words.data(), words.size());
        write(&cycles, 1);
        std::fflush(stdout);
        outputs.clear();
        words.clear();
        samples = reads = 0;
    }

    static void write(const int64_t* values, size_t count) {
        if (std::fwrite(values, sizeof(int64_t), count, stdout) != count) die("cannot write");
    }

    [[noreturn]] static void die(const char* what) {
        std::fprintf(stderr, "error: %s\n", what);
        std::exit(1);
    }
};

}  // namespace

int main() {
    Player player;
    player.context.randReset(2);  // random initial values of registers, unless reset sets them
    player.context.randSeed(1);
    player.reset();
    int64_t record[RECORD];
    while (std::fread(record, sizeof(int64_t), RECORD, stdin) == RECORD) {
        switch (record[0]) {
            case INFER: player.sample(record + 1, false); break;
            case TRAIN: player.sample(record + 1, true); break;
            case WRITE: player.access(record + 1, true); break;
            case READ: player.access(record + 1, false); break;
            case IDLE: player.tick(); break;
            default: player.report();
        }
    }
    player.design.final();
    return 0;
}
