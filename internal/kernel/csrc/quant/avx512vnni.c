// The products with quantised weights for AVX-512 with VNNI.
#define LEVEL_AVX512
#define VNNI
#define TILE_PANELS 2
#define TILE_COLS 6
#define STEP 1
#define FEW 4 // rows of activations that read a panel once
#define AHEAD 4096 // bytes that are fetched beforehand
#include "vector.h"
#include "formats.h"
#include "product.h"
#include "quantise.h"
