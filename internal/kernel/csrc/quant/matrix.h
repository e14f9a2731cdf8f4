// Tiles of products for arm64 with the matrix product of bytes (FEAT_I8MM): two rows of activations times two rows of weights over 8 values of k in one
// instruction, 32 products, where the dot product has 16. See quantised.go for the arithmetic, which is the same in every function here.
//
// Records have another order than those of product.h. A half of a panel, 8 rows, is a part of its own, and a part is four pairs of rows: for each half of the block
// the four pairs' scales and then minima, each vector a pair's two numbers twice; then codes − zero, [k/8][pair][2 rows][8 bytes]. Outputs are kept
// as the instruction leaves them, [2 rows of activations][2 rows of weights], and only put in order when they are stored.

#define BLOCK_BYTES 48 // of activations: scale, two sums, nothing, 32 numbers
#define PAIRS 4        // of rows of weights in a part
#define PART(halves, minima) ((1 + (minima)) * (halves) * 16 * PAIRS + 256)
#define MOST 3 // pairs of rows of activations in a tile: as many sums and outputs as there are registers

// IN_ORDER and PIN keep the compiler from loading everything first, and from adding up later, for which there are too few registers.
#define IN_ORDER __asm__ volatile("" : : : "memory")
#define PIN(x) __asm__ volatile("" : "+w"(x))

INLINE uint32x4_t words_of(const int f, const uint8_t *unit, i64 chunk, const int o, const int g, const int v) {
	const vi c = code(f, unit, chunk, o, g, v);
	return vreinterpretq_u32_u8(zero_of(f) ? vsubq_u8(c, i_bytes(zero_of(f))) : c);
}

// twice stores the numbers of two pairs of rows, each pair in a vector and twice.
INLINE void twice(uint8_t *to, vf x) {
	const float64x2_t pairs = vreinterpretq_f64_f32(x);
	v_store(to, vreinterpretq_f32_f64(vdupq_laneq_f64(pairs, 0)));
	v_store(to + 16, vreinterpretq_f32_f64(vdupq_laneq_f64(pairs, 1)));
}

// unpack writes blocks from..end-1 of a panel, whole chunks, as records.
INLINE void unpack(const int f, uint8_t *to, const uint8_t *panel, i64 from, i64 end) {
	const shape s = shapes[f];
	const int part = PART(s.halves, s.minima), steps = s.nibbles ? 2 : 4;
	const uint8_t *unit = panel + from / s.blocks * s.unit;
	i64 chunk = from % s.blocks / s.chunk;
	ROLLED for (; from < end; from += s.chunk) {
		UNROLL for (int v = 0; v < VP; v++) {
			uint8_t *half = to + v / 2 * part + v % 2 * 32;
			UNROLL for (int o = 0; o < s.chunk; o++) UNROLL for (int h = 0; h < s.halves; h++) {
				vf scale, minimum = v_zero();
				uint8_t *at = half + 2 * o * part + h * (1 + s.minima) * 16 * PAIRS;
				scales_at(f, unit, chunk * s.chunk + o, h, v, &scale, &minimum);
				twice(at, scale);
				if (s.minima) twice(at + 16 * PAIRS, minimum);
			}
			UNROLL for (int i = 0; i < steps; i++) { // all codes that share bytes
				uint32x4_t low[4][2], high[4][2];
				UNROLL for (int o = 0; o < s.chunk; o++) UNROLL for (int j = 0; j < 4 / steps; j++) {
					low[o][j] = words_of(f, unit, chunk, o, 2 * (i + 2 * j), v);
					high[o][j] = words_of(f, unit, chunk, o, 2 * (i + 2 * j) + 1, v);
				}
				UNROLL for (int o = 0; o < s.chunk; o++) UNROLL for (int j = 0; j < 4 / steps; j++) {
					uint8_t *at = half + (2 * o + 1) * part - 256 + (i + 2 * j) * 16 * PAIRS;
					i_store(at, vreinterpretq_u8_u32(vzip1q_u32(low[o][j], high[o][j])));
					i_store(at + 16, vreinterpretq_u8_u32(vzip2q_u32(low[o][j], high[o][j])));
				}
			}
		}
		to += s.chunk * 2 * part;
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

// operands is what the tiles of a product share. Strides are in floats (c, init) and bytes (a).
typedef struct {
	float *c;
	const uint8_t *a, *records;
	const float *init;
	i64 ldc, lda, ldInit, rows, columns, blocks;
	const uint8_t *next, *nextEnd; // what of a panel will be unpacked next
} operands;

INLINE vf halves_low(vf a, vf b) { return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b))); }
INLINE vf halves_high(vf a, vf b) { return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b))); }

// start_tile reads what the outputs of a part start from, or zeros.
INLINE void start_tile(const int pairs, const operands *o, const float *init, i64 columns, vf acc[][PAIRS]) {
	UNROLL for (int t = 0; t < pairs; t++) {
		const i64 second = 2 * t + 1 < o->rows ? 2 * t + 1 : 2 * t;
		UNROLL for (int v = 0; v < PAIRS; v += 2) {
			vf x = v_zero(), y = v_zero();
			if (init) {
				x = v_load_masked(init + 2 * t * o->ldInit + 2 * v, v_first(columns - 2 * v));
				y = v_load_masked(init + second * o->ldInit + 2 * v, v_first(columns - 2 * v));
			}
			acc[t][v] = halves_low(x, y);
			acc[t][v + 1] = halves_high(x, y);
		}
	}
}

INLINE void store_tile(const int pairs, const operands *o, float *c, i64 columns, vf acc[][PAIRS]) {
	UNROLL for (int t = 0; t < pairs; t++) UNROLL for (int v = 0; v < PAIRS; v += 2) {
		v_store_masked(c + 2 * t * o->ldc + 2 * v, v_first(columns - 2 * v), halves_low(acc[t][v], acc[t][v + 1]));
		if (2 * t + 1 < o->rows) v_store_masked(c + (2 * t + 1) * o->ldc + 2 * v, v_first(columns - 2 * v), halves_high(acc[t][v], acc[t][v + 1]));
	}
}

// tile computes `pairs` pairs of rows of activations with the records of a part. Where the last pair is one row, it is taken twice and stored once.
//
// A whole number n below 2^22 becomes a float without the instruction for it, of which processors do one where they do four others: the bits
// of 1.5·2^23 plus n are the float 1.5·2^23 + n, from which the float is taken off, exactly.
INLINE void tile(const int pairs, const int halves, const int minima, operands *o, const int second) {
	const i64 columns = o->columns - 2 * PAIRS * second;
	vf shifted = v_set(12582912.0f);
	const uint8_t *a[2 * MOST], *w = o->records + second * PART(halves, minima);
	vf acc[MOST][PAIRS];
	PIN(shifted); // else its opposite is a second constant
	start_tile(pairs, o, o->init ? o->init + 2 * PAIRS * second : 0, columns, acc);
	UNROLL for (int t = 0; t < 2 * pairs; t++) a[t] = o->a + (t < o->rows ? t : t - 1) * o->lda;
	for (i64 b = o->blocks; b > 0; b--) {
		UNROLL for (int h = 0; h < halves; h++) {
			int32x4_t sum[MOST][PAIRS];
			UNROLL for (int t = 0; t < pairs; t++) UNROLL for (int v = 0; v < PAIRS; v++) sum[t][v] = vreinterpretq_s32_f32(shifted);
			UNROLL for (int i = h; i < 2; i += halves) { // 16 values of k
				int64x2_t x[2 * MOST];
				UNROLL for (int t = 0; t < 2 * pairs; t++) x[t] = vreinterpretq_s64_u8(i_load(a[t] + 16 + 16 * i));
				UNROLL for (int g = 0; g < 2; g++) {
					int8x16_t y[MOST];
					UNROLL for (int t = 0; t < pairs; t++) y[t] = vreinterpretq_s8_s64(g ? vzip2q_s64(x[2 * t], x[2 * t + 1]) : vzip1q_s64(x[2 * t], x[2 * t + 1]));
					UNROLL for (int v = 0; v < PAIRS; v++) {
						const int8x16_t codes = vreinterpretq_s8_u8(i_load(w + PART(halves, minima) - 256 + 16 * PAIRS * (2 * i + g) + 16 * v));
						UNROLL for (int t = 0; t < pairs; t++) sum[t][v] = vmmlaq_s32(sum[t][v], y[t], codes);
					}
				}
				UNROLL for (int t = 0; t < pairs; t++) UNROLL for (int v = 0; v < PAIRS; v++) PIN(sum[t][v]);
				IN_ORDER;
			}
			const uint8_t *at = w + h * (1 + minima) * 16 * PAIRS;
			vf d[MOST], total[MOST];
			UNROLL for (int t = 0; t < pairs; t++) {
				const vf head = v_load(a[2 * t]), other = v_load(a[2 * t + 1]), first = vzip1q_f32(head, other), last = vzip2q_f32(head, other);
				d[t] = vzip1q_f32(first, first), total[t] = h ? vzip1q_f32(last, last) : vzip2q_f32(first, first);
			}
			UNROLL for (int v = 0; v < PAIRS; v++) {
				const vf scale = v_load(at + 16 * v), minimum = minima ? v_load(at + 16 * (PAIRS + v)) : v_zero();
				UNROLL for (int t = 0; t < pairs; t++) {
					acc[t][v] = v_fma(vsubq_f32(vreinterpretq_f32_s32(sum[t][v]), shifted), v_mul(scale, d[t]), acc[t][v]);
					if (minima) acc[t][v] = v_fma(minimum, total[t], acc[t][v]);
					PIN(acc[t][v]);
				}
			}
			IN_ORDER;
		}
		w += 2 * PART(halves, minima);
		UNROLL for (int t = 0; t < 2 * pairs; t++) {
			if (second) __builtin_prefetch(a[t] + 2 * pairs * o->lda); // for the next tile
			a[t] += BLOCK_BYTES;
		}
		if (o->next < o->nextEnd) {
			__builtin_prefetch(o->next, 0, 2);
			__builtin_prefetch(o->next + 64, 0, 2);
			o->next += 128;
		}
	}
	store_tile(pairs, o, o->c + 2 * PAIRS * second, columns, acc);
}

#define TILE(name, pairs, halves, minima) \
	NOINLINE void tile_##name##pairs(operands *o) { \
		tile(pairs, halves, minima, o, 0); \
		if (o->columns > 2 * PAIRS) tile(pairs, halves, minima, o, 1); \
	}
#define TILES(name, halves, minima) \
	TILE(name, 1, halves, minima) TILE(name, 2, halves, minima) TILE(name, 3, halves, minima) \
	NOINLINE void tiles_##name(operands *o) { \
		while (o->rows > 0) { \
			const i64 left = (o->rows + 1) / 2, take = left >= 5 || left == 3 ? 3 : left == 4 ? 2 : left; \
			if (take == 3) tile_##name##3(o); \
			else if (take == 2) tile_##name##2(o); \
			else tile_##name##1(o); \
			o->rows -= 2 * take, o->a += 2 * take * o->lda, o->c += 2 * take * o->ldc; \
			if (o->init) o->init += 2 * take * o->ldInit; \
		} \
	}
TILES(plain, 1, 0) TILES(minima, 1, 1) TILES(halves, 2, 0) TILES(both, 2, 1)

// quantTiles multiplies the records of one panel with m rows of activations. Meanwhile it fetches nextBytes bytes of a packed panel.
EXPORT void quantTiles(i64 format, float *c, i64 ldc, const uint32_t *a, i64 lda, const uint32_t *records, i64 m, i64 columns, i64 blocks,
		const float *init, i64 ldInit, const uint8_t *next, i64 nextBytes) {
	operands operand = {c, (const uint8_t *)a, (const uint8_t *)records, init, ldc, 4 * lda, ldInit, m, columns, blocks, next, next + nextBytes}, *o = &operand;
	if (format == Q2_K) tiles_both(o);
	else if (format == Q3_K || format == Q6_K) tiles_halves(o);
	else if (format == Q4_1 || format == Q5_1 || format == Q4_K || format == Q5_K) tiles_minima(o);
	else tiles_plain(o);
}

// dotPeak runs independent products, to measure how fast this processor can be.
EXPORT void dotPeak(uint32_t *out, i64 steps) {
	int8x16_t x = vreinterpretq_s8_u8(i_load(out)), y = vreinterpretq_s8_u8(i_load(out + W));
	int32x4_t sum[20];
	UNROLL for (int i = 0; i < 20; i++) sum[i] = vreinterpretq_s32_s8(x);
	for (; steps > 0; steps--) UNROLL for (int i = 0; i < 20; i++) {
		PIN(x); // else the products, which are the same each time, are taken once
		sum[i] = vmmlaq_s32(sum[i], x, y);
		PIN(sum[i]);
	}
	UNROLL for (int i = 1; i < 20; i++) sum[0] = vaddq_s32(sum[0], sum[i]);
	vst1q_s32((int32_t *)out, sum[0]);
}
