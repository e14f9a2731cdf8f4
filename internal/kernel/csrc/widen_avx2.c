// Weights in F16 for AVX2.
#define LEVEL_AVX2
#include "widen.h"
