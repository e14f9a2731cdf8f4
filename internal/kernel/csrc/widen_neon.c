// Weights in F16 for NEON.
#define LEVEL_NEON
#include "widen.h"
