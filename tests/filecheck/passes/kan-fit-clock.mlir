// RUN: kan-opt --check-passes %s -p 'kan-fit-clock{mhz=60.0 target="xcup"}' | filecheck %s --check-prefix SLOW
// RUN: kan-opt --check-passes %s -p 'kan-fit-clock{mhz=1300.0 target="xcup"}' | filecheck %s --check-prefix FAST
// RUN: not kan-opt %s -p 'kan-fit-clock{mhz=0.0}' 2>&1 | filecheck %s --check-prefix ZERO

// Two tables of seven bits are smaller in parts. Their sum then has four terms, and two levels of
// adders, which a fast clock has no room for in a stage.
// SLOW-LABEL: @split
// SLOW: kan.table {{.*}} as "t_part0"
// FAST-LABEL: @split
// FAST-NOT: _part0
// FAST: kan.sum {{%.*}}, {{%.*}} as "s"
// ZERO: kan-opt: error: pass kan-fit-clock: mhz must be above 0
func.func @split(%x: !kan.int<0:127>, %y: !kan.int<0:127>) -> !kan.int<0:76> {
  %t = kan.table %x as "t" entries dense<[0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 5, 8, 7, 6, 5, 8, 7, 6, 5, 8, 7, 6, 5, 8, 7, 6, 10, 13, 12, 11, 10, 13, 12, 11, 10, 13, 12, 11, 10, 13, 12, 11, 15, 18, 17, 16, 15, 18, 17, 16, 15, 18, 17, 16, 15, 18, 17, 16, 20, 23, 22, 21, 20, 23, 22, 21, 20, 23, 22, 21, 20, 23, 22, 21, 25, 28, 27, 26, 25, 28, 27, 26, 25, 28, 27, 26, 25, 28, 27, 26, 30, 33, 32, 31, 30, 33, 32, 31, 30, 33, 32, 31, 30, 33, 32, 31, 35, 38, 37, 36, 35, 38, 37, 36, 35, 38, 37, 36, 35, 38, 37, 36]> : tensor<128xi8> : !kan.int<0:127> -> !kan.int<0:38>
  %u = kan.table %y as "u" entries dense<[0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 5, 8, 7, 6, 5, 8, 7, 6, 5, 8, 7, 6, 5, 8, 7, 6, 10, 13, 12, 11, 10, 13, 12, 11, 10, 13, 12, 11, 10, 13, 12, 11, 15, 18, 17, 16, 15, 18, 17, 16, 15, 18, 17, 16, 15, 18, 17, 16, 20, 23, 22, 21, 20, 23, 22, 21, 20, 23, 22, 21, 20, 23, 22, 21, 25, 28, 27, 26, 25, 28, 27, 26, 25, 28, 27, 26, 25, 28, 27, 26, 30, 33, 32, 31, 30, 33, 32, 31, 30, 33, 32, 31, 30, 33, 32, 31, 35, 38, 37, 36, 35, 38, 37, 36, 35, 38, 37, 36, 35, 38, 37, 36]> : tensor<128xi8> : !kan.int<0:127> -> !kan.int<0:38>
  %s = kan.sum %t, %u as "s" : !kan.int<0:38>, !kan.int<0:38> -> !kan.int<0:76>
  func.return %s : !kan.int<0:76>
}
