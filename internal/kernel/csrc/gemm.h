// The matrix product C = init + A B over panels of 16 columns of B.
//
// Every output is one accumulator and one chain of fma over ascending p, whatever tile it falls into: tiles differ only in
// how many rows and panels they hold at once. A product in several passes over p reloads C.

// One step of the reduction is one fma of floats. A file that includes this header may first define another: GEMM_PARTS parts of the
// 32 bits of an operand, GEMM_PART_BEGINS before each, gemm_part to take one of them out, gemm_step to add their product, and
// GEMM_ENTER and GEMM_LEAVE to set and restore the state of the processor.
#if !defined(GEMM_PARTS)
#define GEMM_PARTS 1
#define GEMM_PART_BEGINS
#define GEMM_ENTER
#define GEMM_LEAVE
INLINE vf gemm_part(vf x, const int part) { (void)part; return x; }
INLINE vf gemm_step(vf x, vf b, vf acc) { return v_fma(x, b, acc); }
#endif

#include "tile.h"

// shape is what all tiles of one pass share. Strides are in floats; columns is how many of the last panel are stored. While tiles of
// four rows and more are computed, the panels that come behind theirs are fetched: from next on, ahead bytes for each p.
typedef struct {
	i64 ldc, rowStride, kStride, panelStride, k, ldInit, columns, ahead;
	const char *next;
} shape;

// tiles computes count tiles of `rows` rows and `panels` panels, one below the other. Rows are addressed three to a
// pointer (base, +1, +2 strides), which needs a third of the registers; the empty asm keeps the compiler from chaining them.
INLINE void tiles(const int rows, const int panels, shape *s, float *c, const float *a, const float *b,
		const float *init, i64 count) {
	const int vectors = panels * VP;
	const i64 rowStride = s->rowStride, kStride = s->kStride;
	for (; count > 0; count--) {
		vf acc[HEIGHT][MOST_VECTORS];
		const float *base[(HEIGHT + 2) / 3];
		UNROLL for (int i = 0; i < rows; i += 3) base[i / 3] = a + i * rowStride;
		if (!init) {
			UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = v_zero();
		} else if (s->columns == PANEL) {
			UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++)
				acc[i][v] = v_load(init + i * s->ldInit + v * W);
		} else {
			UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++)
				acc[i][v] = v_load_masked(init + i * s->ldInit + v * W, v_first((panels - 1) * PANEL + s->columns - v * W));
		}
		const float *bp = b;
		const char *next = s->next;
		for (i64 k = s->k; k > 0; k--) {
			UNROLL for (int part = 0; part < GEMM_PARTS; part++) {
				GEMM_PART_BEGINS
				OUTER(gemm_step, rows, vectors, acc, gemm_part(v_set(base[i / 3][i % 3 * rowStride]), part),
					gemm_part(v_load(bp + v / VP * s->panelStride + v % VP * W), part));
			}
			UNROLL for (int i = 0; i < rows; i += 3) {
				base[i / 3] += kStride;
				__asm__("" : "+r"(base[i / 3]));
			}
			bp += PANEL;
			if (rows >= 4) {
				UNROLL for (int i = 0; i < panels; i++) v_prefetch_soon(next + i * 4 * s->panelStride);
				next += s->ahead;
			}
		}
		if (s->columns == PANEL) {
			UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++) v_store(c + i * s->ldc + v * W, acc[i][v]);
		} else {
			UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++)
				v_store_masked(c + i * s->ldc + v * W, v_first((panels - 1) * PANEL + s->columns - v * W), acc[i][v]);
		}
		s->next = next;
		a += rows * rowStride, c += rows * s->ldc;
		if (init) init += rows * s->ldInit;
	}
}

#define TILES(rows, panels) \
	static __attribute__((noinline)) void tiles##rows##x##panels(shape *s, float *c, const float *a, const float *b, \
			const float *init, i64 count) { \
		tiles(rows, panels, s, c, a, b, init, count); \
	}
#define RUN(rows, panels, count) tiles##rows##x##panels(s, c, a, b, init, count)

TILES(1, 1) TILES(2, 1) TILES(3, 1) TILES(4, 1)
#if defined(LEVEL_AVX512)
TILES(8, 1) TILES(12, 1)
TILES(1, 2) TILES(2, 2) TILES(3, 2) TILES(4, 2) TILES(8, 2) TILES(12, 2)
TILES(1, 4) TILES(1, 8) TILES(2, 4) TILES(3, 4)
#define RUN_FEW_(rows, panels) RUN(rows, panels, 1)
#define RUN_FEW(rows, panels) RUN_FEW_(rows, panels)
#define RUN_WIDE(rows, count) (panels == 2 ? RUN(rows, 2, count) : RUN(rows, 1, count))
#define RUN_FULL(count) RUN_WIDE(12, count)
#elif HEIGHT == 4
TILES(1, 2) TILES(1, 4) TILES(2, 2)
#define RUN_FEW_(rows, panels) RUN(rows, panels, 1)
#define RUN_FEW(rows, panels) RUN_FEW_(rows, panels)
#define RUN_WIDE(rows, count) RUN(rows, 1, count)
#define RUN_FULL(count) RUN_WIDE(4, count)
#else
TILES(5, 1) TILES(6, 1)
TILES(1, 2) TILES(1, 4) TILES(1, 6) TILES(2, 3) TILES(3, 2)
#define RUN_FEW_(rows, panels) RUN(rows, panels, 1)
#define RUN_FEW(rows, panels) RUN_FEW_(rows, panels)
#define RUN_WIDE(rows, count) RUN(rows, 1, count)
#define RUN_FULL(count) RUN_WIDE(6, count)
#endif

// rest computes the tallest shorter tile that fits and returns its rows.
INLINE i64 rest(shape *s, float *c, const float *a, const float *b, const float *init, i64 m, i64 panels) {
#if defined(LEVEL_AVX512)
	if (m >= 8) { RUN_WIDE(8, 1); return 8; }
#else
	(void)panels;
#if HEIGHT == 6
	if (m == 6) { RUN(6, 1, 1); return 6; }
	if (m == 5) { RUN(5, 1, 1); return 5; }
#endif
#endif
	if (m >= 4) { RUN_WIDE(4, 1); return 4; }
	if (m == 3) { RUN_WIDE(3, 1); return 3; }
	if (m == 2) { RUN_WIDE(2, 1); return 2; }
	RUN_WIDE(1, 1);
	return 1;
}

INLINE void few(shape *s, float *c, const float *a, const float *b, const float *init, i64 m, i64 panels) {
	if (m == 1 && panels == FEW1) RUN_FEW(1, FEW1);
	else if (m == 1 && panels == 4) RUN(1, 4, 1);
	else if (m == 1 && panels == 2) RUN(1, 2, 1);
	else if (m == 2 && panels > 1) RUN_FEW(2, FEW2);
	else if (m == 3 && panels > 1) RUN_FEW(3, FEW3);
	else if (m == 1) RUN(1, 1, 1);
	else if (m == 2) RUN(2, 1, 1);
	else RUN(3, 1, 1);
}

// gemm computes one pass of Gemm: some rows and all columns, for as many values of p as stay in cache. Panels of b are panelStride floats apart. Full tiles
// come first, shorter ones make the rest; a rest of one or two rows is made taller at the cost of the last full tile.
EXPORT void gemm(float *c, i64 ldc, const float *a, i64 rowStride, i64 kStride, const float *b, i64 panelStride,
		i64 m, i64 n, i64 k, const float *init, i64 ldInit) {
	// About m/HEIGHT tiles fetch the 64 bytes that a panel has for each p. Behind the last panel come those of the next pass over p, or if this is the only one
	// those of the next columns of the same matrix, if there are any.
	shape part = {ldc, rowStride, kStride, panelStride, k, ldInit, 0, smaller((64 * HEIGHT + m - 1) / m, 64), 0};
	shape *s = &part;
	const float *again = b + k * PANEL;
	GEMM_ENTER
	i64 full = m / HEIGHT;
	if (full > 0 && m % HEIGHT > 0 && m % HEIGHT < 3) full--;
	while (n > 0) {
		const i64 panels = n > (WIDE - 1) * PANEL ? WIDE : 1;
		s->columns = smaller(n - (panels - 1) * PANEL, PANEL);
		s->next = (const char *)(n > panels * PANEL || k * PANEL == panelStride ? b + panels * panelStride : again);
		if (full > 0) RUN_FULL(full);
		for (i64 i = full * HEIGHT, rows; i < m; i += rows)
			rows = rest(s, c + i * s->ldc, a + i * s->rowStride, b, init ? init + i * s->ldInit : init, m - i, panels);
		n -= panels * PANEL, c += panels * PANEL, b += panels * s->panelStride;
		if (init) init += panels * PANEL;
	}
	GEMM_LEAVE
}

// gemmFew is gemm for one to three rows, where it takes many panels to hide the latency of fma.
EXPORT void gemmFew(float *c, i64 ldc, const float *a, i64 rowStride, i64 kStride, const float *b, i64 panelStride,
		i64 m, i64 n, i64 k, const float *init, i64 ldInit) {
	shape part = {ldc, rowStride, kStride, panelStride, k, ldInit, 0, 0, 0};
	shape *s = &part;
	GEMM_ENTER
	const i64 most = m == 1 ? FEW1 : m == 2 ? FEW2 : FEW3;
	while (n > 0) {
		i64 panels = n > (most - 1) * PANEL ? most : 1;
		if (m == 1 && panels == 1) panels = n > 3 * PANEL ? 4 : n > PANEL ? 2 : 1;
		s->columns = smaller(n - (panels - 1) * PANEL, PANEL);
		few(s, c, a, b, init, m, panels);
		n -= panels * PANEL, c += panels * PANEL, b += panels * s->panelStride;
		if (init) init += panels * PANEL;
	}
	GEMM_LEAVE
}

// fmaPeak runs independent chains of steps, 24 steps to an iteration, to measure what the core can do.
#if defined(LEVEL_NEON)
#define CHAINS 24
#else
#define CHAINS 12
#endif
EXPORT void fmaPeak(float *out, i64 iterations) {
	vf acc[CHAINS];
	const vf x = v_load(out), y = v_load(out + W);
	UNROLL for (int i = 0; i < CHAINS; i++) acc[i] = v_set((float)i);
	for (; iterations > 0; iterations--) {
		UNROLL for (int i = 0; i < 24; i++) acc[i % CHAINS] = gemm_step(x, y, acc[i % CHAINS]);
	}
	vf sum = acc[0];
	UNROLL for (int i = 1; i < CHAINS; i++) sum = v_add(sum, acc[i]);
	v_store(out, sum);
}
