// The sizes of tiles, and the step that fills them.
#pragma once

// HEIGHT rows and WIDE panels make the usual tile; products of one, two and three rows take FEW panels at once.
#if defined(LEVEL_AVX512)
#define HEIGHT 12
#define WIDE 2
#define FEW1 8
#define FEW2 4
#define FEW3 4
#define MOST_VECTORS 8
#elif GEMM_PARTS > 1
// Taking operands apart needs registers that the tiles below would use.
#define HEIGHT 4
#define WIDE 1
#define FEW1 4
#define FEW2 2
#define FEW3 1
#define MOST_VECTORS 8
#else
#define HEIGHT 6
#define WIDE 1
#define FEW1 6
#define FEW2 3
#define FEW3 2
#define MOST_VECTORS (6 * VP)
#endif

// OUTER adds the outer product of a column and a row to acc[rows][vectors], each by a step(x, y, acc): x is row i's value in all
// lanes, y the v-th vector.
// Each sum has its own accumulator, so the order here is the order of loads alone: all of the row first, or, where clang then
// runs out of registers and moves them about, one vector after the other.
#if defined(LEVEL_NEON)
#define OUTER(step, rows, vectors, acc, x, y) \
	do { \
		UNROLL for (int v = 0; v < (vectors); v++) { \
			const vf y_ = y; \
			UNROLL for (int i = 0; i < (rows); i++) acc[i][v] = step(x, y_, acc[i][v]); \
		} \
	} while (0)
#else
#define OUTER(step, rows, vectors, acc, x, y) \
	do { \
		vf y_[sizeof acc[0] / sizeof acc[0][0]]; \
		UNROLL for (int v = 0; v < (vectors); v++) y_[v] = y; \
		UNROLL for (int i = 0; i < (rows); i++) { \
			const vf x_ = x; \
			UNROLL for (int v = 0; v < (vectors); v++) acc[i][v] = step(x_, y_[v], acc[i][v]); \
		} \
	} while (0)
#endif
