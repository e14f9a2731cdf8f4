// The tiles of products with quantised weights for arm64 with the matrix product of bytes. Single rows stay with the dot product.
#define LEVEL_NEON
#define DOTPROD
#include "vector.h"
#include "formats.h"
#include "matrix.h"
