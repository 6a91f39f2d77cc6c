// RUN: not kan-opt %s -t circt 2>&1 | filecheck %s

// CHECK: error: 'func.func' is not a hardware op; run kan-compile, or lower-kan-to-hw on a scheduled module, first
func.func @model(%x : !kan.int<0:3>) -> !kan.int<0:3> {
  func.return %x : !kan.int<0:3>
}
