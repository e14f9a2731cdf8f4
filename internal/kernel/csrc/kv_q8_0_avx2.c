// Attention over a cache of Q8_0 numbers for AVX2, FMA and F16C.
#define LEVEL_AVX2
#define KV_Q8_0
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
