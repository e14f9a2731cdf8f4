// Weights in F16 for AVX512.
#define LEVEL_AVX512
#include "widen.h"
