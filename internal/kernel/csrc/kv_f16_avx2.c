// Attention over a cache of F16 numbers for AVX2, FMA and F16C.
#define LEVEL_AVX2
#define KV_F16
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
