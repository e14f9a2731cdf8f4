// The products with quantised weights for NEON.
#define LEVEL_NEON
#define TILE_PANELS 1
#define TILE_COLS 3
#define STEP 2
#define PASS 2 // rows of activations that are multiplied at once, with a panel that is read once
#include "vector.h"
#include "formats.h"
#include "product.h"
#include "quantise_neon.h"
#include "pack.h"
