// Attention over a cache of F16 numbers for NEON (arm64).
#define LEVEL_NEON
#define KV_F16
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
