// Products of quantised activations with panels of quantised weights: see quantised.go for the arithmetic, which is the same in every function here.

#define BLOCK_BYTES 48 // of activations: scale, two sums, nothing, 32 numbers
#define RECORD(halves, minima) (8 * GROUP + (1 + (minima)) * (halves) * PANEL * 4)

// operands is what the parts of a product share. Strides are in floats (c, init) and bytes (a).
typedef struct {
	float *c;
	const uint8_t *a, *b;
	const float *init;
	i64 ldc, lda, ldInit, columns, units, ahead;
	const uint8_t *next, *nextEnd; // what of a panel will be unpacked next, and as much nextStride bytes further on
	i64 nextStride;
} operands;

// IN_ORDER and PIN keep the compiler from loading everything first, and from adding up later, for which there are too few registers.
#define IN_ORDER __asm__ volatile("" : : : "memory")
#if defined(LEVEL_AVX512)
#define PIN(x) __asm__ volatile("" : "+v"(x))
#elif defined(LEVEL_NEON)
#define PIN(x) __asm__ volatile("" : "+w"(x))
#else
#define PIN(x) __asm__ volatile("" : "+x"(x))
#endif

// scaled adds a half block's integer sum to an output.
INLINE vf scaled(const int minima, vi sum, vf scale, vf minimum, const uint8_t *a, const int h, vf acc) {
	const float *words = (const float *)a;
	acc = v_fma(v_from(sum), v_mul(scale, v_set(words[0])), acc);
	if (minima) acc = v_fma(minimum, v_set(words[1 + h]), acc);
	PIN(acc);
	return acc;
}

INLINE vi sum_begins(const int minima, const int wide, const uint8_t *a, const int h) {
	return minima || (wide && SIGNED_WIDE) ? i_set(0) : i_set(((const int32_t *)a)[1 + h]);
}

// record_code is what a record holds: on arm64 code − zero, and else the code.
INLINE vi record_code(const int f, const uint8_t *unit, i64 chunk, const int o, const int g, const int v) {
	const vi c = code(f, unit, chunk, o, g, v);
#if SIGNED_RECORDS
	return zero_of(f) ? vsubq_u8(c, i_bytes(zero_of(f))) : c;
#else
	return c;
#endif
}

INLINE vi record_begins(const int minima, const int wide, const uint8_t *a, const int h) { return SIGNED_RECORDS ? i_set(0) : sum_begins(minima, wide, a, h); }

INLINE vi quad(const uint8_t *a, const int g) { return i_set(((const int32_t *)a)[4 + g]); }

#if defined(DOTPROD)

// row_block is a block of activations: where instructions pick four numbers of a register, all of it is read once for a chunk.
typedef struct {
	vf head;
	vi numbers[2];
} row_block;
#define READ_BLOCKS \
	row_block x[4][PASS]; \
	UNROLL for (int o = 0; o < s.chunk; o++) UNROLL for (int t = 0; t < cols; t++) { \
		const uint8_t *from = a + o * BLOCK_BYTES + t * lda; \
		x[o][t] = (row_block){v_load(from), {i_load(from + 16), i_load(from + 32)}}; \
	}
#define ROW(o, t) x[o][t]
INLINE vi few_dot(const int wide, vi sum, vi c0, vi c1, row_block x, const int g0, const int g1) {
	return dot_lane(wide, dot_lane(wide, sum, c0, x.numbers[g0 / 4], g0 % 4), c1, x.numbers[g1 / 4], g1 % 4);
}
INLINE vf few_scaled(const int minima, vi sum, vf scale, vf minimum, row_block x, const int h, vf acc) {
	acc = v_fma(v_from(sum), vmulq_laneq_f32(scale, x.head, 0), acc);
	if (minima) acc = h ? vfmaq_laneq_f32(acc, minimum, x.head, 2) : vfmaq_laneq_f32(acc, minimum, x.head, 1);
	PIN(acc);
	return acc;
}
#else
typedef const uint8_t *row_block;
#define READ_BLOCKS
#define ROW(o, t) (a + (o) * BLOCK_BYTES + (t) * lda)
INLINE vi few_dot(const int wide, vi sum, vi c0, vi c1, row_block x, const int g0, const int g1) { return dot2(wide, sum, c0, quad(x, g0), c1, quad(x, g1)); }
INLINE vf few_scaled(const int minima, vi sum, vf scale, vf minimum, row_block x, const int h, vf acc) { return scaled(minima, sum, scale, minimum, x, h, acc); }
#endif

// few_chunk adds the products with the blocks of a chunk, for vector v of the rows, to acc[][slot]. Sums of all blocks are kept until their turn: k ascends.
INLINE void few_chunk(const int f, const int cols, const uint8_t *unit, i64 chunk, const int v, const int slot, const uint8_t *a, i64 lda, vf acc[][VP]) {
	const shape s = shapes[f];
	vi sum[4][2][PASS];
	READ_BLOCKS
	UNROLL for (int o = 0; o < s.chunk; o++) UNROLL for (int h = 0; h < s.halves; h++) UNROLL for (int t = 0; t < cols; t++) {
		sum[o][h][t] = sum_begins(s.minima, s.wide, a + o * BLOCK_BYTES + t * lda, h);
		PIN(sum[o][h][t]);
	}
	UNROLL for (int q = 0; q < 4; q++) {
		const int h = q * s.halves / 4, g0 = s.nibbles ? q : 2 * q, g1 = s.nibbles ? q + 4 : 2 * q + 1;
		UNROLL for (int o = 0; o < s.chunk; o++) {
			const vi c0 = code(f, unit, chunk, o, g0, v), c1 = code(f, unit, chunk, o, g1, v);
			UNROLL for (int t = 0; t < cols; t++) {
				sum[o][h][t] = few_dot(s.wide, sum[o][h][t], c0, c1, ROW(o, t), g0, g1);
				PIN(sum[o][h][t]);
			}
		}
		IN_ORDER;
	}
	UNROLL for (int o = 0; o < s.chunk; o++) UNROLL for (int h = 0; h < s.halves; h++) {
		vf scale, minimum = v_zero();
		scales_at(f, unit, chunk * s.chunk + o, h, v, &scale, &minimum);
		UNROLL for (int t = 0; t < cols; t++)
			acc[t][slot] = few_scaled(s.minima, sum[o][h][t], scale, minimum, ROW(o, t), h, acc[t][slot]);
		IN_ORDER;
	}
}

// few_vectors does `count` vectors of rows from first on.
INLINE void few_vectors(const int f, const int cols, const operands *o, const int count, const int first) {
	const shape s = shapes[f];
	const uint8_t *unit = o->b, *a = o->a;
	vf acc[PASS][VP];
	UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < count; v++) {
		const i64 j = (first + v) * W;
		acc[t][v] = o->init ? v_load_masked(o->init + t * o->ldInit + j, v_first(o->columns - j)) : v_zero();
	}
	for (i64 u = o->units; u > 0; u--, unit += s.unit)
		ROLLED for (i64 chunk = 0; chunk < s.blocks / s.chunk; chunk++, a += s.chunk * BLOCK_BYTES) {
			const int bytes = s.unit / s.blocks * s.chunk;
			if (cols > 1) UNROLL for (int line = 0; line < bytes; line += 64) __builtin_prefetch(unit + o->ahead + chunk * bytes + line);
			UNROLL for (int v = 0; v < count; v++) few_chunk(f, cols, unit, chunk, first + v, v, a, o->lda, acc);
		}
	UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < count; v++) {
		const i64 j = (first + v) * W;
		v_store_masked(o->c + t * o->ldc + j, v_first(o->columns - j), acc[t][v]);
	}
}

// few multiplies some units of one panel with cols rows of activations, and unpacks them in registers. Where a panel is four vectors and a chunk has
// eight sums, the vectors go one by one.
INLINE void few(const int f, const int cols, const operands *o) {
	if (VP < 4 || shapes[f].chunk * shapes[f].halves < 8) few_vectors(f, cols, o, VP, 0);
	else ROLLED for (int v = 0; v < VP; v++) few_vectors(f, cols, o, 1, v);
}

#if !defined(VNNI) && !defined(DOTPROD) // the level without it has the same

// unpack writes blocks from..end-1 of a panel, whole chunks, as records: scales, minima, codes.
INLINE void unpack(const int f, uint8_t *to, const uint8_t *panel, i64 from, i64 end) {
	const shape s = shapes[f];
	const int record = RECORD(s.halves, s.minima);
	const uint8_t *unit = panel + from / s.blocks * s.unit;
	i64 chunk = from % s.blocks / s.chunk;
	ROLLED for (; from < end; from += s.chunk) {
		UNROLL for (int v = 0; v < VP; v++) {
			UNROLL for (int o = 0; o < s.chunk; o++) UNROLL for (int h = 0; h < s.halves; h++) {
				vf scale, minimum = v_zero();
				scales_at(f, unit, chunk * s.chunk + o, h, v, &scale, &minimum);
				v_store(to + o * record + (h * PANEL + v * W) * 4, scale);
				if (s.minima) v_store(to + o * record + ((s.halves + h) * PANEL + v * W) * 4, minimum);
			}
			UNROLL for (int q = 0; q < 4; q++) {
				const int g0 = s.nibbles ? q : 2 * q, g1 = s.nibbles ? q + 4 : 2 * q + 1;
				vi c[4][2];
				UNROLL for (int o = 0; o < s.chunk; o++) c[o][0] = record_code(f, unit, chunk, o, g0, v), c[o][1] = record_code(f, unit, chunk, o, g1, v);
				UNROLL for (int o = 0; o < s.chunk; o++) {
					uint8_t *codes = to + (o + 1) * record - 8 * GROUP + v * 4 * W;
					i_store(codes + g0 * GROUP, c[o][0]);
					i_store(codes + g1 * GROUP, c[o][1]);
				}
			}
		}
		to += s.chunk * record;
		if (++chunk == s.blocks / s.chunk) chunk = 0, unit += s.unit;
	}
}

#define EACH_FORMAT(do) \
	do(Q8_0) do(Q4_0) do(Q4_1) do(Q5_0) do(Q5_1) do(IQ4_NL) do(MXFP4) do(IQ4_XS) do(Q2_K) do(Q3_K) do(Q4_K) do(Q5_K) do(Q6_K)
#define UNPACK(f) NOINLINE void unpack_##f(uint8_t *to, const uint8_t *panel, i64 from, i64 end) { unpack(f, to, panel, from, end); }
EACH_FORMAT(UNPACK)
#define IF_UNPACK(f) if (format == f) unpack_##f((uint8_t *)to, panel, from, end);

// quantUnpack makes records of the blocks from..end-1 of a panel.
EXPORT void quantUnpack(i64 format, uint32_t *to, const uint8_t *panel, i64 from, i64 end) { EACH_FORMAT(IF_UNPACK) }

#endif

// PASS rows of activations at most, and half of them where the sums of eight halves are kept, are multiplied at once.
#define FEW1(f) NOINLINE void few1_##f(const operands *o) { few(f, 1, o); }
#define FEW2(f) FEW1(f) NOINLINE void few2_##f(const operands *o) { few(f, 2, o); }
#define FEW4(f) FEW2(f) NOINLINE void few3_##f(const operands *o) { few(f, 3, o); } NOINLINE void few4_##f(const operands *o) { few(f, 4, o); }
#define RUN1(f, m, o) few1_##f(o)
#define RUN2(f, m, o) (m == 1 ? few1_##f(o) : few2_##f(o))
#define RUN4(f, m, o) (m == 1 ? few1_##f(o) : m == 2 ? few2_##f(o) : m == 3 ? few3_##f(o) : few4_##f(o))
#if PASS == 4
#define WIDE_FEW FEW4
#define WIDE_RUN RUN4
#define NARROW_FEW FEW2
#define NARROW_RUN RUN2
#else
#define WIDE_FEW FEW2
#define WIDE_RUN RUN2
#define NARROW_FEW FEW1
#define NARROW_RUN RUN1
#endif
WIDE_FEW(Q8_0) WIDE_FEW(Q4_0) WIDE_FEW(Q4_1) WIDE_FEW(Q5_0) WIDE_FEW(Q5_1) WIDE_FEW(IQ4_NL) WIDE_FEW(MXFP4) WIDE_FEW(IQ4_XS) WIDE_FEW(Q4_K) WIDE_FEW(Q5_K)
NARROW_FEW(Q2_K) NARROW_FEW(Q3_K) NARROW_FEW(Q6_K)
#define IF_WIDE(f) if (format == f) WIDE_RUN(f, m, o);
#define IF_NARROW(f) if (format == f) NARROW_RUN(f, m, o);

// quantFew multiplies units of one panel with as many rows as are multiplied at once, or fewer. Several rows fetch what lies `ahead` bytes further on.
EXPORT void quantFew(i64 format, float *c, i64 ldc, const uint32_t *a, i64 lda, const uint8_t *b, i64 m, i64 columns, i64 units, const float *init, i64 ldInit,
		i64 ahead) {
	const operands operand = {c, (const uint8_t *)a, b, init, ldc, 4 * lda, ldInit, columns, units, ahead, 0, 0, 0}, *o = &operand;
	IF_WIDE(Q8_0) IF_WIDE(Q4_0) IF_WIDE(Q4_1) IF_WIDE(Q5_0) IF_WIDE(Q5_1) IF_WIDE(IQ4_NL) IF_WIDE(MXFP4) IF_WIDE(IQ4_XS) IF_WIDE(Q4_K) IF_WIDE(Q5_K)
	IF_NARROW(Q2_K) IF_NARROW(Q3_K) IF_NARROW(Q6_K)
}

#if defined(DOTPROD)
#include "lanes.h"
#define ROWS_OF_TILES INLINE // a frame less
#else
#define ROWS_OF_TILES NOINLINE

// tile computes cols rows of activations with TILE_PANELS panels of unpacked records.
INLINE void tile(const int cols, const int halves, const int minima, const int wide, operands *o, i64 panelStride, i64 blocks) {
	const int vectors = TILE_PANELS * VP;
	vf acc[TILE_COLS][TILE_PANELS * VP];
	const uint8_t *base[(TILE_COLS + 2) / 3], *w = o->b;
	const i64 lda = o->lda;
	UNROLL for (int t = 0; t < cols; t += 3) base[t / 3] = o->a + t * lda;
	UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < vectors; v++)
		acc[t][v] = o->init ? v_load_masked(o->init + t * o->ldInit + v * W, v_first(o->columns - v * W)) : v_zero();
	for (; blocks > 0; blocks--) {
		const uint8_t *codes = w + RECORD(halves, minima) - 8 * GROUP;
		UNROLL for (int h = 0; h < halves; h++) {
#if STEP == 1
			vi sum[TILE_COLS][TILE_PANELS * VP];
			UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < vectors; v++) {
				sum[t][v] = record_begins(minima, wide, base[t / 3] + t % 3 * lda, h);
				PIN(sum[t][v]);
			}
			UNROLL for (int g = h * 4; g < (h + 3 - halves) * 4; g++) {
				vi c[TILE_PANELS * VP];
				UNROLL for (int v = 0; v < vectors; v++) c[v] = i_load(codes + v / VP * panelStride + v % VP * 4 * W + g * GROUP);
				UNROLL for (int t = 0; t < cols; t++) {
					const vi x = quad(base[t / 3] + t % 3 * lda, g);
					UNROLL for (int v = 0; v < vectors; v++) {
						sum[t][v] = dot(sum[t][v], c[v], x);
						PIN(sum[t][v]);
					}
				}
			}
			UNROLL for (int v = 0; v < vectors; v++) {
				const uint8_t *at = w + v / VP * panelStride + v % VP * 4 * W;
				IN_ORDER;
				const vf scale = v_load(at + h * 64), minimum = minima ? v_load(at + (halves + h) * 64) : v_zero();
				UNROLL for (int t = 0; t < cols; t++) acc[t][v] = scaled(minima, sum[t][v], scale, minimum, base[t / 3] + t % 3 * lda, h, acc[t][v]);
			}
#else
			UNROLL for (int v = 0; v < vectors; v++) {
				vi sum[TILE_COLS];
				const uint8_t *at = w + v / VP * panelStride + v % VP * 4 * W, *from = codes + v / VP * panelStride + v % VP * 4 * W;
				UNROLL for (int t = 0; t < cols; t++) sum[t] = record_begins(minima, wide, base[t / 3] + t % 3 * lda, h);
				UNROLL for (int g = h * 4; g < (h + 3 - halves) * 4; g += 2) {
					const vi c0 = i_load(from + g * GROUP), c1 = i_load(from + (g + 1) * GROUP);
					UNROLL for (int t = 0; t < cols; t++) {
						sum[t] = dot2(wide, sum[t], c0, quad(base[t / 3] + t % 3 * lda, g), c1, quad(base[t / 3] + t % 3 * lda, g + 1));
						PIN(sum[t]);
					}
					IN_ORDER;
				}
				const vf scale = v_load(at + h * 64), minimum = minima ? v_load(at + (halves + h) * 64) : v_zero();
				UNROLL for (int t = 0; t < cols; t++) acc[t][v] = scaled(minima, sum[t], scale, minimum, base[t / 3] + t % 3 * lda, h, acc[t][v]);
				IN_ORDER;
			}
#endif
		}
		w += RECORD(halves, minima);
		UNROLL for (int t = 0; t < cols; t++) __builtin_prefetch(base[t / 3] + t % 3 * lda + cols * lda); // for the next tile
		if (o->next < o->nextEnd) {
			UNROLL for (int i = 0; i < 2 * TILE_PANELS; i++) __builtin_prefetch(o->next + i / 2 * o->nextStride + i % 2 * 64, 0, 2);
			o->next += 128;
		}
		UNROLL for (int t = 0; t < cols; t += 3) {
			base[t / 3] += BLOCK_BYTES;
			__asm__("" : "+r"(base[t / 3]));
		}
	}
	UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < vectors; v++) v_store_masked(o->c + t * o->ldc + v * W, v_first(o->columns - v * W), acc[t][v]);
}

#endif

#define TILE(name, cols, halves, minima, wide) \
	NOINLINE void tile_##name##cols(operands *o, i64 panelStride, i64 blocks) { tile(cols, halves, minima, wide, o, panelStride, blocks); }
#if TILE_COLS == 6
#define TILES(name, halves, minima, wide) \
	TILE(name, 1, halves, minima, wide) TILE(name, 2, halves, minima, wide) TILE(name, 3, halves, minima, wide) \
	TILE(name, 4, halves, minima, wide) TILE(name, 6, halves, minima, wide) \
	ROWS_OF_TILES void tiles_##name(operands *o, i64 m, i64 panelStride, i64 blocks) { \
		for (i64 take; m > 0; m -= take) { \
			take = m >= 9 || m == 6 ? 6 : m >= 7 ? 4 : m == 5 ? 3 : m; \
			if (take == 6) tile_##name##6(o, panelStride, blocks); \
			else if (take == 4) tile_##name##4(o, panelStride, blocks); \
			else if (take == 3) tile_##name##3(o, panelStride, blocks); \
			else if (take == 2) tile_##name##2(o, panelStride, blocks); \
			else tile_##name##1(o, panelStride, blocks); \
			NEXT_ROWS(o, take) \
		} \
	}
#else
#define TILES(name, halves, minima, wide) \
	TILE(name, 1, halves, minima, wide) TILE(name, 2, halves, minima, wide) TILE(name, 3, halves, minima, wide) \
	ROWS_OF_TILES void tiles_##name(operands *o, i64 m, i64 panelStride, i64 blocks) { \
		for (i64 take; m > 0; m -= take) { \
			take = m >= 5 || m == 3 ? 3 : m == 4 ? 2 : m; \
			if (take == 3) tile_##name##3(o, panelStride, blocks); \
			else if (take == 2) tile_##name##2(o, panelStride, blocks); \
			else tile_##name##1(o, panelStride, blocks); \
			NEXT_ROWS(o, take) \
		} \
	}
#endif
#define NEXT_ROWS(o, rows) \
	o->a += (rows) * o->lda, o->c += (rows) * o->ldc; \
	if (o->init) o->init += (rows) * o->ldInit;

TILES(plain, 1, 0, 0) TILES(minima, 1, 1, 0) TILES(halves, 2, 0, 0) TILES(both, 2, 1, 0)
#if SIGNED_WIDE && !SIGNED_RECORDS
TILES(wide, 1, 0, 1)
#else
#define tiles_wide tiles_plain
#endif

// quantTiles multiplies the records of TILE_PANELS panels, panelStride bytes apart, with rows of activations. Meanwhile it fetches nextBytes bytes of packed panels,
// which lie nextStride bytes apart.
EXPORT void quantTiles(i64 format, float *c, i64 ldc, const uint32_t *a, i64 lda, const uint32_t *records, i64 panelStride, i64 m, i64 columns, i64 blocks,
		const float *init, i64 ldInit, const uint8_t *next, i64 nextBytes, i64 nextStride) {
	operands operand = {c, (const uint8_t *)a, (const uint8_t *)records, init, ldc, 4 * lda, ldInit, columns, 0, 0, next, next + nextBytes, nextStride}, *o = &operand;
	if (format == Q8_0 || format == IQ4_NL || format == IQ4_XS) tiles_wide(o, m, panelStride, blocks);
	else if (format == Q2_K) tiles_both(o, m, panelStride, blocks);
	else if (format == Q3_K || format == Q6_K) tiles_halves(o, m, panelStride, blocks);
	else if (format == Q4_1 || format == Q5_1 || format == Q4_K || format == Q5_K) tiles_minima(o, m, panelStride, blocks);
	else tiles_plain(o, m, panelStride, blocks);
}

// dotPeak runs independent sums of products of bytes, to measure how fast this processor can be.
EXPORT void dotPeak(uint32_t *out, i64 steps) {
	vi x = i_load(out), y = i_load(out + W);
	vi sum[10];
	UNROLL for (int i = 0; i < 10; i++) sum[i] = x;
	for (; steps > 0; steps--) UNROLL for (int i = 0; i < 10; i++) {
		PIN(x); // else the products, which are the same each time, are taken once
		sum[i] = dot2(0, sum[i], x, y, x, y);
		PIN(sum[i]);
	}
	UNROLL for (int i = 1; i < 10; i++) sum[0] = i_add(sum[0], sum[i]);
	i_store(out, sum[0]);
}
