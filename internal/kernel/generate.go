package kernel

//go:generate go run ./ctog -o zz_avx2_amd64 -suffix AVX2 -cflags "-mavx2 -mfma -mbmi -mbmi2" csrc/avx2.c
//go:generate go run ./ctog -o zz_avx512_amd64 -suffix AVX512 -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mbmi -mbmi2 -mprefer-vector-width=512" csrc/avx512.c
//go:generate go run ./ctog -o zz_neon_arm64 -suffix NEON -cflags "-march=armv8-a" csrc/neon.c
//go:generate go run ./ctog -o zz_bf16_avx2_amd64 -suffix BF16AVX2 -cflags "-mavx2 -mfma -mbmi -mbmi2" csrc/bf16_avx2.c
//go:generate go run ./ctog -o zz_bf16_avx512_amd64 -suffix BF16AVX512 -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mbmi -mbmi2 -mprefer-vector-width=512" csrc/bf16_avx512.c
//go:generate go run ./ctog -o zz_bf16_native_amd64 -suffix BF16Native -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mbmi -mbmi2 -mprefer-vector-width=512" csrc/bf16_native.c
//go:generate go run ./ctog -o zz_quant_avx2_amd64 -suffix AVX2 -cflags "-mavx2 -mfma -mf16c -mbmi -mbmi2" csrc/quant/avx2.c
//go:generate go run ./ctog -o zz_quant_avxvnni_amd64 -suffix AVXVNNI -cflags "-mavx2 -mavxvnni -mfma -mf16c -mbmi -mbmi2" csrc/quant/avxvnni.c
//go:generate go run ./ctog -o zz_quant_avx512_amd64 -suffix AVX512 -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2 -mprefer-vector-width=512" csrc/quant/avx512.c
//go:generate go run ./ctog -o zz_quant_avx512vnni_amd64 -suffix AVX512VNNI -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx2 -mfma -mf16c -mbmi -mbmi2 -mprefer-vector-width=512" csrc/quant/avx512vnni.c
//go:generate go run ./ctog -o zz_quant_neon_arm64 -suffix NEON -cflags "-march=armv8-a" csrc/quant/neon.c
//go:generate go run ./ctog -o zz_quant_dotprod_arm64 -suffix DotProd -cflags "-march=armv8-a+dotprod" csrc/quant/dotprod.c
//go:generate go run ./ctog -o zz_quant_i8mm_arm64 -suffix I8MM -cflags "-march=armv8-a+dotprod+i8mm" csrc/quant/i8mm.c
//go:generate go run ./ctog -o zz_kv_bf16_avx2_amd64 -suffix BF16AVX2 -cflags "-mavx2 -mfma -mf16c -mbmi -mbmi2" csrc/kv_bf16_avx2.c
//go:generate go run ./ctog -o zz_kv_bf16_avx512_amd64 -suffix BF16AVX512 -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2 -mprefer-vector-width=512" csrc/kv_bf16_avx512.c
//go:generate go run ./ctog -o zz_kv_bf16_neon_arm64 -suffix BF16NEON -cflags "-march=armv8-a" csrc/kv_bf16_neon.c
//go:generate go run ./ctog -o zz_kv_f16_avx2_amd64 -suffix F16AVX2 -cflags "-mavx2 -mfma -mf16c -mbmi -mbmi2" csrc/kv_f16_avx2.c
//go:generate go run ./ctog -o zz_kv_f16_avx512_amd64 -suffix F16AVX512 -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2 -mprefer-vector-width=512" csrc/kv_f16_avx512.c
//go:generate go run ./ctog -o zz_kv_f16_neon_arm64 -suffix F16NEON -cflags "-march=armv8-a" csrc/kv_f16_neon.c
//go:generate go run ./ctog -o zz_widen_avx2_amd64 -suffix AVX2 -cflags "-mavx2 -mfma -mf16c -mbmi -mbmi2" csrc/widen_avx2.c
//go:generate go run ./ctog -o zz_widen_avx512_amd64 -suffix AVX512 -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2 -mprefer-vector-width=512" csrc/widen_avx512.c
//go:generate go run ./ctog -o zz_widen_neon_arm64 -suffix NEON -cflags "-march=armv8-a" csrc/widen_neon.c
//go:generate go run ./ctog -o zz_kv_q8_0_avx2_amd64 -suffix Q8AVX2 -cflags "-mavx2 -mfma -mf16c -mbmi -mbmi2" csrc/kv_q8_0_avx2.c
//go:generate go run ./ctog -o zz_kv_q8_0_avx512_amd64 -suffix Q8AVX512 -cflags "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2 -mprefer-vector-width=512" csrc/kv_q8_0_avx512.c
//go:generate go run ./ctog -o zz_kv_q8_0_neon_arm64 -suffix Q8NEON -cflags "-march=armv8-a" csrc/kv_q8_0_neon.c
