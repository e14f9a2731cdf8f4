// Attention over a cache of BF16 numbers for NEON (arm64).
#define LEVEL_NEON
#define KV_BF16
#include "vector.h"
#include "transcendental.h"
#include "attention.h"
