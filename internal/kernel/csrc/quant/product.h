// Products of quantised activations with panels of quantised weights: see quantised.go for the arithmetic, which is the same in every function here.

#define BLOCK_BYTES 48 // of activations: scale, two sums, nothing, 32 numbers
#define DEPTH 32       // blocks of a panel that are unpacked at once
#define RECORD(halves, minima) (8 * GROUP + (1 + (minima)) * (halves) * PANEL * 4)

// operands is what the parts of a product share. Strides are in floats (c, init) and bytes (a).
typedef struct {
	float *c;
	const uint8_t *a, *b;
	const float *init;
	i64 ldc, lda, ldInit, columns, units;
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

INLINE vi quad(const uint8_t *a, const int g) { return i_set(((const int32_t *)a)[4 + g]); }

INLINE void few_block(const int f, const int cols, const uint8_t *unit, i64 b, const uint8_t *a, i64 lda, vf acc[][VP]) {
	const shape s = shapes[f];
	UNROLL for (int h = 0; h < s.halves; h++) UNROLL for (int v = 0; v < VP; v++) {
		vi sum[FEW];
		UNROLL for (int t = 0; t < cols; t++) sum[t] = sum_begins(s.minima, s.wide, a + t * lda, h);
		UNROLL for (int g = h * 4; g < (h + 3 - s.halves) * 4; g += 2) {
			const vi c0 = code_group(f, unit, b, g, v), c1 = code_group(f, unit, b, g + 1, v);
			UNROLL for (int t = 0; t < cols; t++) {
				sum[t] = dot2(s.wide, sum[t], c0, quad(a + t * lda, g), c1, quad(a + t * lda, g + 1));
				PIN(sum[t]);
			}
			IN_ORDER;
		}
		vf scale, minimum = v_zero();
		scales_at(f, unit, b, h, v, &scale, &minimum);
		UNROLL for (int t = 0; t < cols; t++) acc[t][v] = scaled(s.minima, sum[t], scale, minimum, a + t * lda, h, acc[t][v]);
		IN_ORDER;
	}
}

// few reads each panel once for up to FEW rows of activations, and unpacks it in registers.
INLINE void few(const int f, const int cols, const operands *o) {
	const shape s = shapes[f];
	const uint8_t *unit = o->b;
	for (i64 j = 0; j < o->columns; j += PANEL) {
		const uint8_t *a = o->a;
		vf acc[FEW][VP];
		UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < VP; v++)
			acc[t][v] = o->init ? v_load_masked(o->init + t * o->ldInit + j + v * W, v_first(o->columns - j - v * W)) : v_zero();
		for (i64 u = o->units; u > 0; u--, unit += s.unit) {
			UNROLL for (int line = 0; line < s.unit; line += 64) __builtin_prefetch(unit + AHEAD + line);
			ROLLED for (i64 b = 0; b < s.blocks; b++, a += BLOCK_BYTES) few_block(f, cols, unit, b, a, o->lda, acc);
		}
		UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < VP; v++) v_store_masked(o->c + t * o->ldc + j + v * W, v_first(o->columns - j - v * W), acc[t][v]);
	}
}

// unpack writes blocks from..to-1 of a panel as records: scales, minima, codes.
INLINE void unpack(const int f, uint8_t *to, const uint8_t *panel, i64 from, i64 end) {
	const shape s = shapes[f];
	const uint8_t *unit = panel + from / s.blocks * s.unit;
	i64 b = from % s.blocks;
	ROLLED for (; from < end; from++) {
		UNROLL for (int v = 0; v < VP; v++) {
			UNROLL for (int h = 0; h < s.halves; h++) {
				vf scale, minimum = v_zero();
				scales_at(f, unit, b, h, v, &scale, &minimum);
				v_store(to + (h * PANEL + v * W) * 4, scale);
				if (s.minima) v_store(to + ((s.halves + h) * PANEL + v * W) * 4, minimum);
			}
			UNROLL for (int g = 0; g < 8; g++)
				i_store(to + RECORD(s.halves, s.minima) - 8 * GROUP + g * GROUP + v * 4 * W, code_group(f, unit, b, g, v));
		}
		to += RECORD(s.halves, s.minima);
		if (++b == s.blocks) b = 0, unit += s.unit;
	}
}

#define EACH_FORMAT(do) \
	do(Q8_0) do(Q4_0) do(Q4_1) do(Q5_0) do(Q5_1) do(IQ4_NL) do(MXFP4) do(IQ4_XS) do(Q2_K) do(Q3_K) do(Q4_K) do(Q5_K) do(Q6_K)

#define FORMAT(f) \
	NOINLINE void few1_##f(const operands *o) { few(f, 1, o); } \
	NOINLINE void few2_##f(const operands *o) { few(f, 2, o); } \
	FORMAT_MORE(f) \
	NOINLINE void unpack_##f(uint8_t *to, const uint8_t *panel, i64 from, i64 end) { unpack(f, to, panel, from, end); }
#if FEW == 4
#define FORMAT_MORE(f) \
	NOINLINE void few3_##f(const operands *o) { few(f, 3, o); } \
	NOINLINE void few4_##f(const operands *o) { few(f, 4, o); }
#define RUN_FEW(f, m, o) (m == 1 ? few1_##f(o) : m == 2 ? few2_##f(o) : m == 3 ? few3_##f(o) : few4_##f(o))
#else
#define FORMAT_MORE(f)
#define RUN_FEW(f, m, o) (m == 1 ? few1_##f(o) : few2_##f(o))
#endif
EACH_FORMAT(FORMAT)

#define IF_FEW(f) if (format == f) RUN_FEW(f, m, &o);

// quantFew: see GemmQuantised, for 1 to FEW rows.
EXPORT void quantFew(i64 format, float *c, i64 ldc, const uint32_t *a, i64 lda, const uint8_t *b, i64 m, i64 n, i64 units, const float *init, i64 ldInit) {
	const operands o = {c, (const uint8_t *)a, b, init, ldc, 4 * lda, ldInit, n, units};
	EACH_FORMAT(IF_FEW)
}

// tile computes cols rows of activations with TILE_PANELS panels of unpacked records.
INLINE void tile(const int cols, const int halves, const int minima, const int wide, const operands *o, i64 panelStride, i64 blocks) {
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
				sum[t][v] = sum_begins(minima, wide, base[t / 3] + t % 3 * lda, h);
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
				UNROLL for (int t = 0; t < cols; t++) sum[t] = sum_begins(minima, wide, base[t / 3] + t % 3 * lda, h);
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
		UNROLL for (int t = 0; t < cols; t += 3) {
			base[t / 3] += BLOCK_BYTES;
			__asm__("" : "+r"(base[t / 3]));
		}
	}
	UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < vectors; v++) v_store_masked(o->c + t * o->ldc + v * W, v_first(o->columns - v * W), acc[t][v]);
}

#define TILE(name, cols, halves, minima, wide) \
	NOINLINE void tile_##name##cols(const operands *o, i64 panelStride, i64 blocks) { tile(cols, halves, minima, wide, o, panelStride, blocks); }
#if TILE_COLS == 6
#define TILES(name, halves, minima, wide) \
	TILE(name, 1, halves, minima, wide) TILE(name, 2, halves, minima, wide) TILE(name, 3, halves, minima, wide) \
	TILE(name, 4, halves, minima, wide) TILE(name, 6, halves, minima, wide) \
	NOINLINE void tiles_##name(operands *o, i64 m, i64 panelStride, i64 blocks) { \
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
	NOINLINE void tiles_##name(operands *o, i64 m, i64 panelStride, i64 blocks) { \
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
#if SIGNED_WIDE
TILES(wide, 1, 0, 1)
#else
#define tiles_wide tiles_plain
#endif

#define IF_UNPACK(f) if (format == f) unpack_##f(to, panel, from, end);

// A table of shapes would be reached by its absolute address, which is not known.
#define IF_SHAPE(f) if (format == f) panelBytes = units * shapes[f].unit, record = RECORD(shapes[f].halves, shapes[f].minima), blocks = units * shapes[f].blocks;

NOINLINE void unpack_any(i64 format, uint8_t *to, const uint8_t *panel, i64 from, i64 end) {
	EACH_FORMAT(IF_UNPACK)
}

NOINLINE void tiles_any(i64 format, operands *o, i64 m, i64 panelStride, i64 blocks) {
	if (format == Q8_0 || format == IQ4_NL || format == IQ4_XS) tiles_wide(o, m, panelStride, blocks);
	else if (format == Q2_K) tiles_both(o, m, panelStride, blocks);
	else if (format == Q3_K || format == Q6_K) tiles_halves(o, m, panelStride, blocks);
	else if (format == Q4_1 || format == Q5_1 || format == Q4_K || format == Q5_K) tiles_minima(o, m, panelStride, blocks);
	else tiles_plain(o, m, panelStride, blocks);
}

// quantGemm: see GemmQuantised. DEPTH blocks of TILE_PANELS panels at a time are unpacked, and multiplied with all rows; later ones start from c.
EXPORT void quantGemm(i64 format, float *c, i64 ldc, const uint32_t *a, i64 lda, const uint8_t *b, i64 m, i64 n, i64 units, const float *init, i64 ldInit,
		uint32_t *scratch) {
	uint8_t *room = (uint8_t *)scratch;
	i64 panelBytes = 0, record = 0, blocks = 0;
	EACH_FORMAT(IF_SHAPE)
	for (; n > 0; n -= TILE_PANELS * PANEL) {
		const i64 panelStride = n > PANEL ? DEPTH * record : 0;
		for (i64 p = 0; p < blocks; p += DEPTH) {
			const i64 depth = p + DEPTH < blocks ? DEPTH : blocks - p;
			unpack_any(format, room, b, p, p + depth);
			if (TILE_PANELS > 1 && n > PANEL) unpack_any(format, room + panelStride, b + panelBytes, p, p + depth);
			operands o = {c, (const uint8_t *)a + p * BLOCK_BYTES, room, p > 0 ? c : init, ldc, 4 * lda, p > 0 ? ldc : ldInit, n, units};
			tiles_any(format, &o, m, panelStride, depth);
		}
		b += TILE_PANELS * panelBytes, c += TILE_PANELS * PANEL;
		if (init) init += TILE_PANELS * PANEL;
	}
}

// dotPeak runs independent sums of products of bytes, to measure how fast this processor can be.
EXPORT void dotPeak(uint32_t *out, i64 steps) {
	const vi x = i_load(out), y = i_load(out + W);
	vi sum[10];
	UNROLL for (int i = 0; i < 10; i++) sum[i] = x;
	for (; steps > 0; steps--) UNROLL for (int i = 0; i < 10; i++) {
		sum[i] = dot2(0, sum[i], x, y, x, y);
		PIN(sum[i]);
	}
	UNROLL for (int i = 1; i < 10; i++) sum[0] = i_add(sum[0], sum[i]);
	i_store(out, sum[0]);
}
