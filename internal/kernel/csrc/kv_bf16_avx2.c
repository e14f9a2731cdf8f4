// Attention over a cache of BF16 numbers for AVX2, FMA and F16C.
#define LEVEL_AVX2
#define KV_BF16
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
