// All kernels for NEON (arm64).
#define LEVEL_NEON
#include "vector.h"
#include "gemm.h"
#include "pack.h"
#include "transcendental.h"
#include "rows.h"
#include "flat.h"
#include "attention.h"
