// What a user may say of how a model is read: up to its head, and with real inputs at hand.

// RUN: python -c "import onnx; m = onnx.load(r'%S/../../../examples/wine.onnx'); m.graph.node.append(onnx.helper.make_node('Softmax', ['y'], ['p'], name='head', axis=1)); m.graph.output[0].name = 'p'; onnx.save(m, r'%t.onnx')"
// RUN: python -c "import numpy as np; np.savez(r'%t.npz', x=np.zeros((2, 3)))"

// RUN: not kan-opt %t.onnx 2>&1 | filecheck %s --check-prefix HEAD
// RUN: not kan-run %t.onnx 2>&1 | filecheck %s --check-prefix HEAD
// RUN: rm -rf %t.build
// RUN: not kan-flow build %t.onnx -o %t.build 2>&1 | filecheck %s --check-prefix HEAD
// HEAD: kan-{{[a-z]+}}: error: {{.*}}.onnx: node 'head' (Softmax): each output depends on all others; pass --strip-head (in Python: strip_head=True) to import the network up to it: the classes stay the same

// RUN: kan-opt %t.onnx --strip-head --samples %S/../../../examples/wine.npz --elide-large-constants 1 | filecheck %s --check-prefix STRIPPED
// STRIPPED: func.func @{{.*}}(%x: tensor<13xf32>) -> tensor<3xf32>
// STRIPPED-NOT: softmax

// The IR and the model that it comes from are compared with the head left out of the model.
// RUN: kan-opt %t.onnx --strip-head -o %t.out.mlir
// RUN: kan-run %t.out.mlir --inputs %S/../../../examples/wine.npz --against %t.onnx --strip-head | filecheck %s --check-prefix RUNTIME
// RUN: kan-run %t.onnx --strip-head --inputs %S/../../../examples/wine.npz --against %t.out.mlir | filecheck %s --check-prefix SAME
// SAME: spline level, 54 samples, 13 inputs, 3 outputs
// SAME: accuracy: 1.0000
// SAME: 0 of 54 samples differ
// RUNTIME: accuracy: 1.0000
// RUNTIME: against {{.*}}.onnx (ONNX Runtime {{[0-9.]+}}): {{.*}}largest difference {{[0-9.]+}}e-0{{[5-9]}}, mean

// RUN: not kan-opt %S/../../../examples/wine.onnx --strip-head 2>&1 | filecheck %s --check-prefix NO-HEAD
// NO-HEAD: kan-opt: error: wine.onnx: there is no head to strip: the model ends in node {{.*}}; leave --strip-head (strip_head) out

// RUN: not kan-opt %t.onnx --strip-head --samples %t.npz 2>&1 | filecheck %s --check-prefix WIDTH
// RUN: not kan-flow build %t.onnx --strip-head --calibration %t.npz -o %t.build 2>&1 | filecheck %s --check-prefix WIDTH
// WIDTH: kan-{{[a-z]+}}: error: {{.*}}.onnx: the samples have shape (2, 3), the network has 13 inputs; give samples of shape (samples, 13), a column for each input

// RUN: not kan-opt %t.onnx --samples none.npz 2>&1 | filecheck %s --check-prefix NO-DATA
// NO-DATA: kan-opt: error: there is no data file none.npz

// RUN: not kan-opt %s --strip-head 2>&1 | filecheck %s --check-prefix IR-HEAD
// RUN: not kan-run %s --strip-head 2>&1 | filecheck %s --check-prefix IR-HEAD
// RUN: not kan-flow build %s --strip-head -o %t.build 2>&1 | filecheck %s --check-prefix IR-HEAD
// IR-HEAD: kan-{{[a-z]+}}: error: import-options.mlir: reading IR strips no head; leave --strip-head (strip_head) out

// RUN: not kan-opt %s --samples %t.npz 2>&1 | filecheck %s --check-prefix IR-SAMPLES
// RUN: not kan-run %s --samples %t.npz 2>&1 | filecheck %s --check-prefix IR-SAMPLES
// IR-SAMPLES: kan-{{[a-z]+}}: error: import-options.mlir: reading IR has no use for samples; leave --samples (samples) out

// RUN: not kan-opt --strip-head < %s 2>&1 | filecheck %s --check-prefix INPUT
// INPUT: kan-opt: error: standard input: reading IR strips no head

// RUN: python -c "open(r'%t_config.yml', 'w').write('a: 1')"
// RUN: not kan-opt %t_config.yml --strip-head 2>&1 | filecheck %s --check-prefix PYKAN
// PYKAN: kan-opt: error: {{.*}}_config.yml: the frontend pykan strips no head

// RUN: not kan-run %s --against none.onnx 2>&1 | filecheck %s --check-prefix FILE
// FILE: kan-run: error: there is no file none.onnx

// Options leave the rest as it is: calibration data that the reading of IR has no use for is for later passes.
// RUN: kan-flow build %s --calibration %t.npz --simulator none -o %t.build | filecheck %s --check-prefix BUILD
// BUILD: {{.}}

func.func @f(%x: tensor<3xf32>) -> tensor<1xf32> {
  %e = kan.base "relu" %x as "layer0" weights dense<1.0> : tensor<1x3xf32> : tensor<3xf32> -> tensor<1x3xf32>
  %s = kan.node_sum %e as "layer0" : tensor<1x3xf32> -> tensor<1xf32>
  func.return %s : tensor<1xf32>
}
