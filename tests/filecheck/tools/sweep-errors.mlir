// What `kan-flow sweep` cannot make a table of: one message, exit code 1, and no folder.

// RUN: rm -rf %t && mkdir -p %t

// RUN: not kan-flow sweep %s -o %t/out 2>&1 | filecheck %s --check-prefix NOTHING
// NOTHING: {{^}}kan-flow: error: no option varies: the grid is empty; give --vary OPTION=VALUES, as --vary bits=2..10, or --schedule

// RUN: not kan-flow sweep %s -o %t/out --vary bist=2 2>&1 | filecheck %s --check-prefix OPTION
// OPTION: {{^}}kan-flow: error: there is no option 'bist' to vary; did you mean bits? Options are bits, scale, {{.*}}input-bits, activation-bits

// RUN: not kan-flow sweep %s -o %t/out --vary levels=9..2 2>&1 | filecheck %s --check-prefix EMPTY
// EMPTY: {{^}}kan-flow: error: levels has no values in 'levels=9..2': the grid is empty

// RUN: not kan-flow sweep %s -o %t/out --vary levels=two 2>&1 | filecheck %s --check-prefix TYPE
// TYPE: {{^}}kan-flow: error: option levels cannot be 'two'; it takes a whole number

// RUN: not kan-flow sweep %s -o %t/out --vary bits=4,40 2>&1 | filecheck %s --check-prefix VALUE
// VALUE: {{^}}kan-flow: error: bits must lie in 1..16, got 40; a table has 2^bits entries

// RUN: not kan-flow sweep %s -o %t/out --vary bits=4,6 2>&1 | filecheck %s --check-prefix DATA
// DATA: {{^}}kan-flow: error: the points differ in accuracy (kan-quantize), and no data is given to measure it; give samples with labels: --calibration DATA.npz

// RUN: not kan-flow sweep %s -o %t/out --schedule --vary cycles=2 2>&1 | filecheck %s --check-prefix SCHEDULE
// SCHEDULE: {{^}}kan-flow: error: cycles cannot vary beside --schedule, which tries all schedules

// RUN: not kan-flow sweep %s -o %t/out --schedule --front test_accuracy 2>&1 | filecheck %s --check-prefix TEST-SET
// TEST-SET: {{^}}kan-flow: error: --front cannot take 'test_accuracy', a figure of the test set; columns are validation_accuracy,

// RUN: not kan-flow sweep %s -o %t/out --schedule --scheduler tcp://127.0.0.1:9 2>&1 | filecheck %s --check-prefix SCHEDULER
// SCHEDULER: {{^}}kan-flow: error: {{cannot reach a Dask scheduler at 'tcp://127.0.0.1:9'.*dask worker ADDRESS|--scheduler needs Dask}}

// RUN: not kan-flow sweep %t/none.onnx -o %t/out --schedule 2>&1 | filecheck %s --check-prefix FILE
// FILE: {{^}}kan-flow: error: there is no file {{.*}}none.onnx

// RUN: python -c "import numpy as np; np.savez(r'%t/one.npz', x=np.zeros((1, 1)), y=[0])"
// RUN: not kan-flow sweep %s --calibration %t/one.npz -o %t/out --vary bits=2,3 2>&1 | filecheck %s --check-prefix SPLIT
// SPLIT: {{^}}kan-flow: error: cannot hold 0.25 of 1 samples out for validation; give more samples, or another --validation between 0 and 1

// RUN: not ls %t/out

// RUN: not kan-flow sweep %s -o %s --schedule 2>&1 | filecheck %s --check-prefix FOLDER
// FOLDER: {{^}}kan-flow: error: cannot write into {{.*}}sweep-errors.mlir: it is a file; name a folder

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  %0 = kan.base "silu" %x weights dense<[[1.0]]> : tensor<1x1xf32> : tensor<1xf32> -> tensor<1x1xf32>
  %1 = kan.node_sum %0 : tensor<1x1xf32> -> tensor<1xf32>
  func.return %1 : tensor<1xf32>
}
