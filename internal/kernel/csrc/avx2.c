// All kernels for AVX2 and FMA.
#define LEVEL_AVX2
#include "vector.h"
#include "gemm.h"
