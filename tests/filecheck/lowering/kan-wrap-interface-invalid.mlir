// RUN: not kan-opt %s -p 'kan-wrap-interface{interface=axi-stream}' 2>&1 | filecheck %s --check-prefix COMBINATIONAL
// RUN: not kan-opt %s -p 'kan-wrap-interface{interface=pci}' 2>&1 | filecheck %s --check-prefix NAME
// RUN: not kan-opt %s -p 'kan-wrap-interface{interface=axi-stream beat-bits=8,16,24}' 2>&1 | filecheck %s --check-prefix BITS
// RUN: not kan-opt %s -p 'kan-wrap-interface{clock-enable=true}' 2>&1 | filecheck %s --check-prefix CLOCK
// RUN: not kan-opt %s -p 'kan-wrap-interface{interface=axi-lite buffer-words=8}' 2>&1 | filecheck %s --check-prefix UNREAD

// UNREAD: buffer-words has no meaning with the interface axi-lite; leave it out, or choose another interface
// CLOCK: net is combinational: it has no clock for a clock enable; leave out --combinational or --clock-enable
// COMBINATIONAL: net is combinational: it has no clock, which the interface axi-stream needs; leave out --combinational, or choose --interface valid
// NAME: interface cannot be 'pci'; use valid, ready-valid, axi-stream
// BITS: beat-bits takes one or two numbers, got 3; give one of the input and one of the output
hw.module @net(in %x0: i3, out y0: i3) attributes {kan.latency = 0 : i64, kan.ports = [
    #kan.port<"x0", -4:3>, #kan.port<"y0", -4:3>]} {
  hw.output %x0 : i3
}
