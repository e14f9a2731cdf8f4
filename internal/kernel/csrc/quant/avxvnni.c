// The products with quantised weights for AVX2 with AVX-VNNI.
#define LEVEL_AVX2
#define VNNI
#define TILE_PANELS 1
#define TILE_COLS 3
#define STEP 1
#define FEW 2 // rows of activations that read a panel once
#define AHEAD 4096 // bytes that are fetched beforehand
#include "vector.h"
#include "formats.h"
#include "product.h"
#include "quantise.h"
