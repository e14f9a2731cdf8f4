// The kernels of BF16 products for AVX512-BF16.
#define LEVEL_AVX512
#define NATIVE_BF16
#include "vector.h"
#include "bf16.h"
