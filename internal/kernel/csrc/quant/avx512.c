// The products with quantised weights for AVX-512 F, BW, DQ and VL.
#define LEVEL_AVX512
#define TILE_PANELS 2
#define TILE_COLS 3
#define STEP 2
#define FEW 4 // rows of activations that read a panel once
#define AHEAD 4096 // bytes that are fetched beforehand
#include "vector.h"
#include "formats.h"
#include "product.h"
#include "quantise.h"
