// All kernels for AVX-512 F, BW, DQ and VL.
#define LEVEL_AVX512
#include "vector.h"
#include "gemm.h"
