// The products with quantised weights for NEON with the dot product.
#define LEVEL_NEON
#define DOTPROD
#define TILE_PANELS 1
#define TILE_COLS 6
#define PASS 2 // rows of activations that are multiplied at once, with a panel that is read once
#include "vector.h"
#include "formats.h"
#include "product.h"
