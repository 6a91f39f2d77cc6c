builtin.module attributes {kan.pipeline = ["kan-fold-affine", "kan-expand-wires"], kan.digest = "6dbff56297529134"} {
  func.func @pc(%x0: !kan.int<-8:7> {kan.encoding = !quant.uniform<i4:f32, 0.10000000149011612>}, %x1: !kan.int<-8:7> {kan.encoding = !quant.uniform<i4:f32, 0.10000000149011612>}, %x2: !kan.int<-8:7> {kan.encoding = !quant.uniform<i4:f32, 0.10000000149011612>}, %x3: !kan.int<-8:7> {kan.encoding = !quant.uniform<i4:f32, 0.10000000149011612>}, %x4: !kan.int<-8:7> {kan.encoding = !quant.uniform<i4:f32, 0.10000000149011612>}, %x5: !kan.int<-8:7> {kan.encoding = !quant.uniform<i4:f32, 0.10000000149011612>}) -> (!kan.int<-40688:7696> {kan.encoding = !quant.uniform<i18:f32, 5.7695592286819385e-05>}, !kan.int<-9497:28903> {kan.encoding = !quant.uniform<i18:f32, 0.00010085860799490497>}, !kan.int<-21278:32994> {kan.encoding = !quant.uniform<i18:f32, 5.523304395106958e-05>}) {
    %0 = kan.table %x0 as "layer0_edge0_0" entries dense<"0xF8F9FAFBFCFDFEFF0001020304050607"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-8:7>
    %1 = kan.table %x1 as "layer0_edge0_1" entries dense<"0xE8EBEEF1F4F7FAFD000306090C0F1215"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-24:21>
    %2 = kan.table %x2 as "layer0_edge0_2" entries dense<"0x28231E19140F0A0500FBF6F1ECE7E2DD"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-35:40>
    %3 = kan.table %x3 as "layer0_edge0_3" entries dense<"0x302A241E18120C0600FAF4EEE8E2DCD6"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-42:48>
    %4 = kan.table %x4 as "layer0_edge0_4" entries dense<"0x080706050403020100FFFEFDFCFBFAF9"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-7:8>
    %5 = kan.table %x5 as "layer0_edge0_5" entries dense<"0xF8F9FAFBFCFDFEFF0001020304050607"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-8:7>
    %6 = kan.sum %0, %1, %2, %3, %4, %5 as "layer0_sum0" : !kan.int<-8:7>, !kan.int<-24:21>, !kan.int<-35:40>, !kan.int<-42:48>, !kan.int<-7:8>, !kan.int<-8:7> -> !kan.int<-124:131>
    %7 = kan.table %x0 as "layer0_edge1_0" entries dense<"0x080706050403020100FFFEFDFCFBFAF9"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-7:8>
    %8 = kan.table %x1 as "layer0_edge1_1" entries dense<"0xC8CFD6DDE4EBF2F900070E151C232A31"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-56:49>
    %9 = kan.table %x3 as "layer0_edge1_3" entries dense<"0x1815120F0C09060300FDFAF7F4F1EEEB"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-21:24>
    %10 = kan.table %x4 as "layer0_edge1_4" entries dense<"0xC8CFD6DDE4EBF2F900070E151C232A31"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-56:49>
    %11 = kan.table %x5 as "layer0_edge1_5" entries dense<"0x28231E19140F0A0500FBF6F1ECE7E2DD"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-35:40>
    %12 = kan.sum %7, %8, %9, %10, %11 as "layer0_sum1" : !kan.int<-7:8>, !kan.int<-56:49>, !kan.int<-21:24>, !kan.int<-56:49>, !kan.int<-35:40> -> !kan.int<-175:170>
    %13 = kan.table %x0 as "layer0_edge2_0" entries dense<"0xE0E4E8ECF0F4F8FC0004080C1014181C"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-32:28>
    %14 = kan.table %x1 as "layer0_edge2_1" entries dense<"0xD0D6DCE2E8EEF4FA00060C12181E242A"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-48:42>
    %15 = kan.table %x2 as "layer0_edge2_2" entries dense<"0x38312A231C150E0700F9F2EBE4DDD6CF"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-49:56>
    %16 = kan.table %x3 as "layer0_edge2_3" entries dense<"0x100E0C0A0806040200FEFCFAF8F6F4F2"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-14:16>
    %17 = kan.table %x4 as "layer0_edge2_4" entries dense<"0x201C1814100C080400FCF8F4F0ECE8E4"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-28:32>
    %18 = kan.table %x5 as "layer0_edge2_5" entries dense<"0x302A241E18120C0600FAF4EEE8E2DCD6"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-42:48>
    %19 = kan.sum %13, %14, %15, %16, %17, %18 as "layer0_sum2" : !kan.int<-32:28>, !kan.int<-48:42>, !kan.int<-49:56>, !kan.int<-14:16>, !kan.int<-28:32>, !kan.int<-42:48> -> !kan.int<-213:222>
    %20 = kan.table %x0 as "layer0_edge3_0" entries dense<"0xF8F9FAFBFCFDFEFF0001020304050607"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-8:7>
    %21 = kan.table %x1 as "layer0_edge3_1" entries dense<"0x1815120F0C09060300FDFAF7F4F1EEEB"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-21:24>
    %22 = kan.table %x2 as "layer0_edge3_2" entries dense<"0x080706050403020100FFFEFDFCFBFAF9"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-7:8>
    %23 = kan.table %x3 as "layer0_edge3_3" entries dense<"0xF0F2F4F6F8FAFCFE00020406080A0C0E"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-16:14>
    %24 = kan.table %x4 as "layer0_edge3_4" entries dense<"0xF0F2F4F6F8FAFCFE00020406080A0C0E"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-16:14>
    %25 = kan.table %x5 as "layer0_edge3_5" entries dense<"0x100E0C0A0806040200FEFCFAF8F6F4F2"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-14:16>
    %26 = kan.sum %20, %21, %22, %23, %24, %25 as "layer0_sum3" : !kan.int<-8:7>, !kan.int<-21:24>, !kan.int<-7:8>, !kan.int<-16:14>, !kan.int<-16:14>, !kan.int<-14:16> -> !kan.int<-82:83>
    %27 = kan.table %x0 as "layer0_edge4_0" entries dense<"0x1815120F0C09060300FDFAF7F4F1EEEB"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-21:24>
    %28 = kan.table %x1 as "layer0_edge4_1" entries dense<"0x38312A231C150E0700F9F2EBE4DDD6CF"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-49:56>
    %29 = kan.table %x2 as "layer0_edge4_2" entries dense<"0x38312A231C150E0700F9F2EBE4DDD6CF"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-49:56>
    %30 = kan.table %x3 as "layer0_edge4_3" entries dense<"0xD0D6DCE2E8EEF4FA00060C12181E242A"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-48:42>
    %31 = kan.table %x4 as "layer0_edge4_4" entries dense<"0xD8DDE2E7ECF1F6FB00050A0F14191E23"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-40:35>
    %32 = kan.table %x5 as "layer0_edge4_5" entries dense<"0xF8F9FAFBFCFDFEFF0001020304050607"> : tensor<16xi8> : !kan.int<-8:7> -> !kan.int<-8:7>
    %33 = kan.sum %27, %28, %29, %30, %31, %32 as "layer0_sum4" : !kan.int<-21:24>, !kan.int<-49:56>, !kan.int<-49:56>, !kan.int<-48:42>, !kan.int<-40:35>, !kan.int<-8:7> -> !kan.int<-215:220>
    %34 = kan.clamp %6 : !kan.int<-124:131> -> !kan.int<1:91>
    %35 = kan.constant -1 : !kan.int<-1:-1>
    %36 = kan.sum %34, %35 : !kan.int<1:91>, !kan.int<-1:-1> -> !kan.int<0:90>
    %37 = kan.extract %36 from 5 : !kan.int<0:90> -> !kan.int<0:3>
    %38 = kan.table %37 entries dense<[31, 50, 70, 70]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<31:70>
    %39 = kan.extract %36 from 0 : !kan.int<0:90> -> !kan.int<0:31>
    %40 = kan.sum %38, %39 : !kan.int<31:70>, !kan.int<0:31> -> !kan.int<31:101>
    %41 = kan.extract %40 from 5 : !kan.int<31:101> -> !kan.int<0:3>
    %42 = kan.clamp %41 as "layer0_node0" : !kan.int<0:3> -> !kan.int<0:3>
    %43 = kan.clamp %12 : !kan.int<-175:170> -> !kan.int<47:153>
    %44 = kan.constant -47 : !kan.int<-47:-47>
    %45 = kan.sum %43, %44 : !kan.int<47:153>, !kan.int<-47:-47> -> !kan.int<0:106>
    %46 = kan.extract %45 from 5 : !kan.int<0:106> -> !kan.int<0:3>
    %47 = kan.table %46 entries dense<[31, 60, 89, 118]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<31:118>
    %48 = kan.extract %45 from 0 : !kan.int<0:106> -> !kan.int<0:31>
    %49 = kan.sum %47, %48 : !kan.int<31:118>, !kan.int<0:31> -> !kan.int<31:149>
    %50 = kan.extract %49 from 5 : !kan.int<31:149> -> !kan.int<0:7>
    %51 = kan.clamp %50 as "layer0_node1" : !kan.int<0:7> -> !kan.int<0:4>
    %52 = kan.extract %19 from 5 : !kan.int<-213:222> -> !kan.int<0:15>
    %53 = kan.table %52 entries dense<"0x080026004400610080009F00BC00BC0000000000000000000000000000000000"> : tensor<16xi16> : !kan.int<0:15> -> !kan.int<0:188>
    %54 = kan.extract %19 from 0 : !kan.int<-213:222> -> !kan.int<0:31>
    %55 = kan.sum %53, %54 : !kan.int<0:188>, !kan.int<0:31> -> !kan.int<0:219>
    %56 = kan.extract %55 from 5 : !kan.int<0:219> -> !kan.int<0:7>
    %57 = kan.clamp %56 as "layer0_node2" : !kan.int<0:7> -> !kan.int<0:6>
    %58 = kan.extract %26 from 5 : !kan.int<-82:83> -> !kan.int<0:7>
    %59 = kan.table %58 entries dense<[50, 86, 122, 122, 0, 0, 0, 14]> : tensor<8xi8> : !kan.int<0:7> -> !kan.int<0:122>
    %60 = kan.extract %26 from 0 : !kan.int<-82:83> -> !kan.int<0:31>
    %61 = kan.sum %59, %60 : !kan.int<0:122>, !kan.int<0:31> -> !kan.int<0:153>
    %62 = kan.extract %61 from 5 : !kan.int<0:153> -> !kan.int<0:7>
    %63 = kan.clamp %62 as "layer0_node3" : !kan.int<0:7> -> !kan.int<0:4>
    %64 = kan.extract %33 from 5 : !kan.int<-215:220> -> !kan.int<0:15>
    %65 = kan.table %64 entries dense<"0x4E0070009100B200D300F400160116010000000000000000000000000C002D00"> : tensor<16xi16> : !kan.int<0:15> -> !kan.int<0:278>
    %66 = kan.extract %33 from 0 : !kan.int<-215:220> -> !kan.int<0:31>
    %67 = kan.sum %65, %66 : !kan.int<0:278>, !kan.int<0:31> -> !kan.int<0:309>
    %68 = kan.extract %67 from 5 : !kan.int<0:309> -> !kan.int<0:15>
    %69 = kan.clamp %68 as "layer0_node4" : !kan.int<0:15> -> !kan.int<0:9>
    kan.mark %42 as "layer0_node0" offset 0 cycle 0 : !kan.int<0:3>
    kan.mark %51 as "layer0_node1" offset 0 cycle 0 : !kan.int<0:4>
    kan.mark %57 as "layer0_node2" offset 0 cycle 0 : !kan.int<0:6>
    kan.mark %63 as "layer0_node3" offset 0 cycle 0 : !kan.int<0:4>
    kan.mark %69 as "layer0_node4" offset 0 cycle 0 : !kan.int<0:9>
    %70 = kan.table %42 as "layer1_edge0_0" entries dense<[0, -7, -14, -21]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<-21:0>
    %71 = kan.table %51 as "layer1_edge0_1" entries dense<[0, -2, -4, -6, -8]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<-8:0>
    %72 = kan.table %57 as "layer1_edge0_2" entries dense<[0, 2, 4, 6, 8, 10, 12]> : tensor<7xi8> : !kan.int<0:6> -> !kan.int<0:12>
    %73 = kan.table %63 as "layer1_edge0_3" entries dense<[0, 2, 4, 6, 8]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<0:8>
    %74 = kan.table %69 as "layer1_edge0_4" entries dense<"0x00FDFAF7F4F1EEEBE8E5"> : tensor<10xi8> : !kan.int<0:9> -> !kan.int<-27:0>
    %75 = kan.sum %70, %71, %72, %73, %74 as "layer1_sum0" : !kan.int<-21:0>, !kan.int<-8:0>, !kan.int<0:12>, !kan.int<0:8>, !kan.int<-27:0> -> !kan.int<-56:20>
    %76 = kan.table %42 as "layer1_edge1_0" entries dense<[0, 5, 10, 15]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:15>
    %77 = kan.table %51 as "layer1_edge1_1" entries dense<[0, 5, 10, 15, 20]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<0:20>
    %78 = kan.table %57 as "layer1_edge1_2" entries dense<[0, -4, -8, -12, -16, -20, -24]> : tensor<7xi8> : !kan.int<0:6> -> !kan.int<-24:0>
    %79 = kan.table %63 as "layer1_edge1_3" entries dense<[0, 2, 4, 6, 8]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<0:8>
    %80 = kan.table %69 as "layer1_edge1_4" entries dense<"0x00FCF8F4F0ECE8E4E0DC"> : tensor<10xi8> : !kan.int<0:9> -> !kan.int<-36:0>
    %81 = kan.sum %76, %77, %78, %79, %80 as "layer1_sum1" : !kan.int<0:15>, !kan.int<0:20>, !kan.int<-24:0>, !kan.int<0:8>, !kan.int<-36:0> -> !kan.int<-60:43>
    %82 = kan.table %42 as "layer1_edge2_0" entries dense<[0, 5, 10, 15]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:15>
    %83 = kan.table %51 as "layer1_edge2_1" entries dense<[0, 7, 14, 21, 28]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<0:28>
    %84 = kan.table %63 as "layer1_edge2_3" entries dense<[0, 3, 6, 9, 12]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<0:12>
    %85 = kan.table %69 as "layer1_edge2_4" entries dense<"0x00070E151C232A31383F"> : tensor<10xi8> : !kan.int<0:9> -> !kan.int<0:63>
    %86 = kan.sum %82, %83, %84, %85 as "layer1_sum2" : !kan.int<0:15>, !kan.int<0:28>, !kan.int<0:12>, !kan.int<0:63> -> !kan.int<0:118>
    %87 = kan.table %42 as "layer1_edge3_0" entries dense<[0, 4, 8, 12]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:12>
    %88 = kan.table %51 as "layer1_edge3_1" entries dense<[0, 7, 14, 21, 28]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<0:28>
    %89 = kan.table %57 as "layer1_edge3_2" entries dense<[0, 3, 6, 9, 12, 15, 18]> : tensor<7xi8> : !kan.int<0:6> -> !kan.int<0:18>
    %90 = kan.table %63 as "layer1_edge3_3" entries dense<[0, -6, -12, -18, -24]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<-24:0>
    %91 = kan.table %69 as "layer1_edge3_4" entries dense<"0x00FEFCFAF8F6F4F2F0EE"> : tensor<10xi8> : !kan.int<0:9> -> !kan.int<-18:0>
    %92 = kan.sum %87, %88, %89, %90, %91 as "layer1_sum3" : !kan.int<0:12>, !kan.int<0:28>, !kan.int<0:18>, !kan.int<-24:0>, !kan.int<-18:0> -> !kan.int<-42:58>
    %93 = kan.table %42 as "layer1_edge4_0" entries dense<[0, 3, 6, 9]> : tensor<4xi8> : !kan.int<0:3> -> !kan.int<0:9>
    %94 = kan.table %51 as "layer1_edge4_1" entries dense<[0, 7, 14, 21, 28]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<0:28>
    %95 = kan.table %57 as "layer1_edge4_2" entries dense<[0, -7, -14, -21, -28, -35, -42]> : tensor<7xi8> : !kan.int<0:6> -> !kan.int<-42:0>
    %96 = kan.table %63 as "layer1_edge4_3" entries dense<[0, -7, -14, -21, -28]> : tensor<5xi8> : !kan.int<0:4> -> !kan.int<-28:0>
    %97 = kan.table %69 as "layer1_edge4_4" entries dense<"0x0004080C1014181C2024"> : tensor<10xi8> : !kan.int<0:9> -> !kan.int<0:36>
    %98 = kan.sum %93, %94, %95, %96, %97 as "layer1_sum4" : !kan.int<0:9>, !kan.int<0:28>, !kan.int<-42:0>, !kan.int<-28:0>, !kan.int<0:36> -> !kan.int<-70:73>
    %99 = kan.clamp %75 : !kan.int<-56:20> -> !kan.int<6:23>
    %100 = kan.constant -6 : !kan.int<-6:-6>
    %101 = kan.sum %99, %100 : !kan.int<6:23>, !kan.int<-6:-6> -> !kan.int<0:17>
    %102 = kan.table %101 as "layer1_node0" entries dense<"0x000101010101010101010101010101010102"> : tensor<18xi8> : !kan.int<0:17> -> !kan.int<0:2>
    %103 = kan.extract %81 from 3 : !kan.int<-60:43> -> !kan.int<0:15>
    %104 = kan.table %103 entries dense<"0x030A111820272F360000000000000000"> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:54>
    %105 = kan.extract %81 from 0 : !kan.int<-60:43> -> !kan.int<0:7>
    %106 = kan.sum %104, %105 : !kan.int<0:54>, !kan.int<0:7> -> !kan.int<0:61>
    %107 = kan.extract %106 from 3 : !kan.int<0:61> -> !kan.int<0:7>
    %108 = kan.clamp %107 as "layer1_node1" : !kan.int<0:7> -> !kan.int<0:13>
    %109 = kan.extract %86 from 3 : !kan.int<0:118> -> !kan.int<0:15>
    %110 = kan.table %109 entries dense<"0x0E141A21282F363C424950575E646A71"> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<14:113>
    %111 = kan.extract %86 from 0 : !kan.int<0:118> -> !kan.int<0:7>
    %112 = kan.sum %110, %111 : !kan.int<14:113>, !kan.int<0:7> -> !kan.int<14:120>
    %113 = kan.extract %112 from 3 : !kan.int<14:120> -> !kan.int<0:15>
    %114 = kan.clamp %113 as "layer1_node2" : !kan.int<0:15> -> !kan.int<1:15>
    %115 = kan.extract %92 from 3 : !kan.int<-42:58> -> !kan.int<0:15>
    %116 = kan.table %115 entries dense<"0x0000000000080C100000000000000000"> : tensor<16xi8> : !kan.int<0:15> -> !kan.int<0:16>
    %117 = kan.extract %92 from 0 : !kan.int<-42:58> -> !kan.int<0:7>
    %118 = kan.sum %116, %117 : !kan.int<0:16>, !kan.int<0:7> -> !kan.int<0:23>
    %119 = kan.extract %118 from 3 : !kan.int<0:23> -> !kan.int<0:3>
    %120 = kan.clamp %119 as "layer1_node3" : !kan.int<0:3> -> !kan.int<0:10>
    %121 = kan.extract %98 from 5 : !kan.int<-70:73> -> !kan.int<0:7>
    %122 = kan.table %121 entries dense<[56, 92, 133, 169, 0, 0, 0, 19]> : tensor<8xi16> : !kan.int<0:7> -> !kan.int<0:169>
    %123 = kan.extract %98 from 0 : !kan.int<-70:73> -> !kan.int<0:31>
    %124 = kan.sum %122, %123 : !kan.int<0:169>, !kan.int<0:31> -> !kan.int<0:200>
    %125 = kan.extract %124 from 5 : !kan.int<0:200> -> !kan.int<0:7>
    %126 = kan.clamp %125 as "layer1_node4" : !kan.int<0:7> -> !kan.int<0:7>
    kan.mark %102 as "layer1_node0" offset 0 cycle 0 : !kan.int<0:2>
    kan.mark %108 as "layer1_node1" offset 0 cycle 0 : !kan.int<0:13>
    kan.mark %114 as "layer1_node2" offset 0 cycle 0 : !kan.int<1:15>
    kan.mark %120 as "layer1_node3" offset 0 cycle 0 : !kan.int<0:10>
    kan.mark %126 as "layer1_node4" offset 0 cycle 0 : !kan.int<0:7>
    %127 = kan.table %102 as "layer2_edge0_0" entries dense<[0, -1792, -3584]> : tensor<3xi16> : !kan.int<0:2> -> !kan.int<-3584:0>
    %128 = kan.table %114 as "layer2_edge0_2" entries dense<"0x00FC00F800F400F000EC00E800E400E000DC00D800D400D000CC00C800C4"> : tensor<15xi16> : !kan.int<1:15> -> !kan.int<-15360:-1024>
    %129 = kan.table %120 as "layer2_edge0_3" entries dense<"0x000000F900F200EB00E400DD00D600CF00C800C100BA"> : tensor<11xi16> : !kan.int<0:10> -> !kan.int<-17920:0>
    %130 = kan.table %126 as "layer2_edge0_4" entries dense<[0, 1792, 3584, 5376, 7168, 8960, 10752, 12544]> : tensor<8xi16> : !kan.int<0:7> -> !kan.int<0:12544>
    %131 = kan.constant -3824 : !kan.int<-3824:-3824>
    %132 = kan.sum %127, %128, %129, %130, %131 as "layer2_sum0" : !kan.int<-3584:0>, !kan.int<-15360:-1024>, !kan.int<-17920:0>, !kan.int<0:12544>, !kan.int<-3824:-3824> -> !kan.int<-40688:7696>
    %133 = kan.table %102 as "layer2_edge1_0" entries dense<[0, -512, -1024]> : tensor<3xi16> : !kan.int<0:2> -> !kan.int<-1024:0>
    %134 = kan.table %108 as "layer2_edge1_1" entries dense<"0x00000007000E0015001C0023002A00310038003F0046004D0054005B"> : tensor<14xi16> : !kan.int<0:13> -> !kan.int<0:23296>
    %135 = kan.table %114 as "layer2_edge1_2" entries dense<"0x00FF00FE00FD00FC00FB00FA00F900F800F700F600F500F400F300F200F1"> : tensor<15xi16> : !kan.int<1:15> -> !kan.int<-3840:-256>
    %136 = kan.table %120 as "layer2_edge1_3" entries dense<"0x00000002000400060008000A000C000E001000120014"> : tensor<11xi16> : !kan.int<0:10> -> !kan.int<0:5120>
    %137 = kan.table %126 as "layer2_edge1_4" entries dense<[0, -768, -1536, -2304, -3072, -3840, -4608, -5376]> : tensor<8xi16> : !kan.int<0:7> -> !kan.int<-5376:0>
    %138 = kan.constant 743 : !kan.int<743:743>
    %139 = kan.sum %133, %134, %135, %136, %137, %138 as "layer2_sum1" : !kan.int<-1024:0>, !kan.int<0:23296>, !kan.int<-3840:-256>, !kan.int<0:5120>, !kan.int<-5376:0>, !kan.int<743:743> -> !kan.int<-9497:28903>
    %140 = kan.table %102 as "layer2_edge2_0" entries dense<[0, 1536, 3072]> : tensor<3xi16> : !kan.int<0:2> -> !kan.int<0:3072>
    %141 = kan.table %108 as "layer2_edge2_1" entries dense<"0x0000000100020003000400050006000700080009000A000B000C000D"> : tensor<14xi16> : !kan.int<0:13> -> !kan.int<0:3328>
    %142 = kan.table %114 as "layer2_edge2_2" entries dense<"0x00F900F200EB00E400DD00D600CF00C800C100BA00B300AC00A5009E0097"> : tensor<15xi16> : !kan.int<1:15> -> !kan.int<-26880:-1792>
    %143 = kan.table %120 as "layer2_edge2_3" entries dense<"0x000000040008000C001000140018001C002000240028"> : tensor<11xi16> : !kan.int<0:10> -> !kan.int<0:10240>
    %144 = kan.table %126 as "layer2_edge2_4" entries dense<[0, 1792, 3584, 5376, 7168, 8960, 10752, 12544]> : tensor<8xi16> : !kan.int<0:7> -> !kan.int<0:12544>
    %145 = kan.constant 5602 : !kan.int<5602:5602>
    %146 = kan.sum %140, %141, %142, %143, %144, %145 as "layer2_sum2" : !kan.int<0:3072>, !kan.int<0:3328>, !kan.int<-26880:-1792>, !kan.int<0:10240>, !kan.int<0:12544>, !kan.int<5602:5602> -> !kan.int<-21278:32994>
    kan.mark %132 as "layer2_node0" offset 0 cycle 0 : !kan.int<-40688:7696>
    kan.mark %139 as "layer2_node1" offset 0 cycle 0 : !kan.int<-9497:28903>
    kan.mark %146 as "layer2_node2" offset 0 cycle 0 : !kan.int<-21278:32994>
    func.return %132, %139, %146 : !kan.int<-40688:7696>, !kan.int<-9497:28903>, !kan.int<-21278:32994>
  }
}
