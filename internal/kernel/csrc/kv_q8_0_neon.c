// Attention over a cache of Q8_0 numbers for NEON (arm64).
#define LEVEL_NEON
#define KV_Q8_0
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
