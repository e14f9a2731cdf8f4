// The kernels of BF16 products for AVX2 and FMA.
#define LEVEL_AVX2
#include "vector.h"
#include "bf16.h"
