// RUN: kan-opt --check-passes %s -p 'kan-fit-clock{mhz=60.0 target="xcup"}' | filecheck %s --check-prefix SLOW
// RUN: kan-opt --check-passes %s -p 'kan-fit-clock{mhz=1300.0 target="xcup"}' | filecheck %s --check-prefix FAST
// RUN: kan-opt --check-passes %s -p 'kan-fit-clock{mhz=240.0 target="ice40"},kan-schedule{mhz=240.0 target="ice40"}' | filecheck %s --check-prefix HALVES
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

// A table of seven inputs takes longer than a period of 240 MHz on iCE40. Its highest input bit
// chooses between two tables of six inputs, behind a register. The choice is made bit by bit, and the
// bits stand side by side. The highest one is the sign.
// HALVES-LABEL: @halves
// HALVES: [[INDEX:%.*]] = kan.extract %x from 0 : !kan.int<-64:63> -> !kan.int<0:63>
// HALVES-NEXT: [[INDEX1:%.*]] = kan.delay [[INDEX]] by 1
// HALVES-NEXT: [[LOW:%.*]] = kan.table [[INDEX]] as "t_low"
// HALVES-NEXT: [[LOW1:%.*]] = kan.delay [[LOW]] by 1
// HALVES-NEXT: [[HIGH:%.*]] = kan.table [[INDEX1]] as "t_high"
// HALVES-NEXT: [[TOP:%.*]] = kan.extract {{%.*}} from 6 : !kan.int<-64:63> -> !kan.int<0:1>
// HALVES-NEXT: [[H0:%.*]] = kan.extract [[HIGH]] from 0
// HALVES-NEXT: [[L0:%.*]] = kan.extract [[LOW1]] from 0
// HALVES-NEXT: kan.table [[TOP]], [[H0]], [[L0]] as "t_bit0" entries dense<{{\[\[\[}}0, 1], [0, 1]], {{\[\[}}0, 0], [1, 1]]]>
// HALVES: kan.table [[TOP]], {{%.*}}, {{%.*}} as "t_bit6" entries dense<{{\[\[\[}}0, -64], [0, -64]], {{\[\[}}0, 0], [-64, -64]]]>
// HALVES-NEXT: [[T:%.*]] = kan.sum {{.*}} as "t" : !kan.int<-64:0>, !kan.int<0:63> -> !kan.int<-20:38>
// HALVES: kan.sum {{.*}} as "s"
func.func @halves(%x: !kan.int<-64:63>, %y: !kan.int<0:15>) -> !kan.int<-20:70> {
  %t = kan.table %x as "t" entries dense<[0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 5, 8, 7, 6, 5, 8, 7, 6, 5, 8, 7, 6, 5, 8, 7, 6, 10, 13, 12, 11, 10, 13, 12, 11, 10, 13, 12, 11, 10, 13, 12, 11, 15, 18, 17, 16, 15, 18, 17, 16, 15, 18, 17, 16, 15, 18, 17, 16, 20, 23, 22, 21, 20, 23, 22, 21, 20, 23, 22, 21, 20, 23, 22, 21, 25, 28, 27, 26, 25, 28, 27, 26, 25, 28, 27, 26, 25, 28, 27, 26, 30, 33, 32, 31, 30, 33, 32, 31, 30, 33, 32, 31, 30, 33, 32, 31, 35, 38, 37, 36, 35, 38, 37, 36, 35, 38, 37, 36, 35, -20, 37, 36]> : tensor<128xi8> : !kan.int<-64:63> -> !kan.int<-20:38>
  %s = kan.sum %t, %y as "s" : !kan.int<-20:38>, !kan.int<0:15> -> !kan.int<-20:70>
  func.return %s : !kan.int<-20:70>
}
