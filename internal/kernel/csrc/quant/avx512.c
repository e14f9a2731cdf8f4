// The products with quantised weights for AVX-512 F, BW, DQ and VL.
#define LEVEL_AVX512
#define TILE_PANELS 2
#define TILE_COLS 3
#define STEP 2
#define PASS 4 // rows of activations that are multiplied at once, with a panel that is read once
#include "vector.h"
#include "formats.h"
#include "product.h"
#include "quantise.h"
