// The products with quantised weights for AVX2 and FMA.
#define LEVEL_AVX2
#define TILE_PANELS 1
#define TILE_COLS 3
#define STEP 2
#define FEW 2 // rows of activations that read a panel once
#define AHEAD 4096 // bytes that are fetched beforehand
#include "vector.h"
#include "formats.h"
#include "product.h"
#include "quantise.h"
