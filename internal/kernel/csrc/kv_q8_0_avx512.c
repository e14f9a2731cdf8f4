// Attention over a cache of Q8_0 numbers for AVX-512.
#define LEVEL_AVX512
#define KV_Q8_0
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
