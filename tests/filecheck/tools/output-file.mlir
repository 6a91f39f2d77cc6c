// RUN: kan-opt %s -o %t.mlir
// RUN: filecheck %s < %t.mlir
// CHECK: func.func @f

// An output file appears whole or not at all: on an error what was there stays, and nothing is left
// beside it.
// RUN: python -c "import pathlib, shutil; p = pathlib.Path(r'%t.dir'); shutil.rmtree(p, ignore_errors=True); p.mkdir(); (p / 'old.mlir').write_text('as it was')"
// RUN: not kan-opt %s -p 'kan-quantize{bits=4},kan-expand-wires' -o %t.dir/old.mlir
// RUN: not kan-opt %s -p no-such-pass -o %t.dir/new.mlir
// RUN: not kan-opt %s -t systemverilog -o %t.dir/new.sv
// RUN: python -c "import pathlib; p = pathlib.Path(r'%t.dir'); assert [f.name for f in p.iterdir()] == ['old.mlir'], list(p.iterdir()); assert (p / 'old.mlir').read_text() == 'as it was'"

// RUN: not kan-opt %s -o %t.dir/none/new.mlir 2>&1 | filecheck %s --check-prefix NO-FOLDER
// NO-FOLDER: kan-opt: error: cannot write {{.*}}new.mlir: there is no folder {{.*}}none; create it first

// RUN: not kan-opt %s -o %t.dir 2>&1 | filecheck %s --check-prefix FOLDER
// FOLDER: kan-opt: error: cannot write {{.*}}.dir: it is a folder; name a file

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  func.return %x : tensor<1xf32>
}
