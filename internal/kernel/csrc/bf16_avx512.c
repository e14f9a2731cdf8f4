// The kernels of BF16 products for AVX-512 without its BF16 instructions.
#define LEVEL_AVX512
#include "vector.h"
#include "bf16.h"
