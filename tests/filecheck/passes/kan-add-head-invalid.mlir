// RUN: not kan-opt %s -p kan-add-head 2>&1 | filecheck %s --check-prefix SCALES
// RUN: not kan-opt %s -p 'kan-add-head{kind=top-k k=3}' 2>&1 | filecheck %s --check-prefix MANY
// RUN: not kan-opt %s -p 'kan-add-head{kind=threshold probability=1.0}' 2>&1 | filecheck %s --check-prefix PROBABILITY
// RUN: not kan-opt %s -p 'kan-add-head{kind=threshold probability=0.5 threshold=1.0}' 2>&1 | filecheck %s --check-prefix BOTH
// RUN: not kan-opt %s -p 'kan-add-head{threshold=1.0}' 2>&1 | filecheck %s --check-prefix MEANING
// RUN: not kan-opt %s -p 'kan-add-head{kind=threshold},kan-add-head{kind=threshold}' 2>&1 | filecheck %s --check-prefix TWICE
// RUN: not kan-opt %s -p 'kan-compile{k=3}' 2>&1 | filecheck %s --check-prefix NONE

// SCALES: kan-opt: error: @f: outputs have scales 0.1 and 0.3, whose ratio is no power of two, so their codes cannot be compared; quantise the results with one scale, as kan-quantize does
// MANY: @f has 2 outputs, and k is 3; take k=2 at most
// PROBABILITY: probability must lie between 0 and 1, got 1
// BOTH: threshold and probability exclude each other; keep one of them
// MEANING: threshold has no meaning for head argmax; leave it out, or take head threshold
// TWICE: @f has a head already
// NONE: k has no meaning without a head; leave it out, or take head top-k
func.func @f(%x: !kan.int<0:7>, %y: !kan.int<0:3>)
    -> (!kan.int<0:7> {kan.encoding = !quant.uniform<u3:f64, 0.3>}, !kan.int<0:3> {kan.encoding = !quant.uniform<u2:f64, 0.1>}) {
  func.return %x, %y : !kan.int<0:7>, !kan.int<0:3>
}
