// All kernels for AVX-512 F, BW, DQ and VL.
#define LEVEL_AVX512
#include "vector.h"
#include "gemm.h"
#include "pack.h"
#include "transcendental.h"
#include "rows.h"
#include "flat.h"
#include "attention.h"
