// All kernels for AVX2 and FMA.
#define LEVEL_AVX2
#include "vector.h"
#include "gemm.h"
#include "pack.h"
#include "transcendental.h"
#include "rows.h"
#include "flat.h"
#include "attention.h"
