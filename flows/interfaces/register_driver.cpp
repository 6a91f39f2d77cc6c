// Gives a player of accesses its clock, until it finishes; compiled by Verilator.

#include "ports.h"
#include "verilated.h"

int main() {
    VerilatedContext context;
    Vdesign design{&context};
    for (int clock = 0; !context.gotFinish(); clock ^= 1) {
        design.aclk = clock;
        design.eval();
        context.timeInc(1);
    }
    design.final();
    return 0;
}
