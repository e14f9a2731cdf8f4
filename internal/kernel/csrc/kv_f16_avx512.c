// Attention over a cache of F16 numbers for AVX-512.
#define LEVEL_AVX512
#define KV_F16
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
