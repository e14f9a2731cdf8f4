// The products with quantised weights for AVX-512 with VNNI.
#define LEVEL_AVX512
#define VNNI
#define TILE_PANELS 2
#define TILE_COLS 6
#define STEP 1
#define PASS 4 // rows of activations that are multiplied at once, with a panel that is read once
#include "vector.h"
#include "formats.h"
#include "product.h"
