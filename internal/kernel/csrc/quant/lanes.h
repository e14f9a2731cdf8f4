// Tiles of products for arm64 with the dot product of bytes. One instruction multiplies four values of k of four rows of weights with those of one row of
// activations, of which a register holds 16 and the instruction takes its pick: there are no copies of them as in product.h, and two vectors of
// 6 rows keep their sums and outputs in registers.

#define PART 2 // vectors of rows of weights that are multiplied at once, half a panel

// part computes cols rows of activations with half a panel of unpacked records, from vector `first` on.
//
// A whole number n below 2^22 becomes a float without the instruction for it, of which processors do one where they do four others: the bits
// of 1.5·2^23 plus n are the float 1.5·2^23 + n, from which the float is taken off, exactly.
INLINE void part(const int cols, const int halves, const int minima, operands *o, const int first, i64 blocks) {
	const i64 columns = o->columns - first * W;
	vf shifted = v_set(12582912.0f), acc[TILE_COLS][PART];
	const uint8_t *a[TILE_COLS], *w = o->b + first * 4 * W;
	PIN(shifted); // else its opposite is a second constant
	UNROLL for (int t = 0; t < cols; t++) {
		a[t] = o->a + t * o->lda;
		UNROLL for (int v = 0; v < PART; v++)
			acc[t][v] = o->init ? v_load_masked(o->init + t * o->ldInit + (first + v) * W, v_first(columns - v * W)) : v_zero();
	}
	for (; blocks > 0; blocks--) {
		const uint8_t *codes = w + RECORD(halves, minima) - 8 * GROUP;
		UNROLL for (int h = 0; h < halves; h++) {
			int32x4_t sum[TILE_COLS][PART];
			UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < PART; v++) sum[t][v] = vreinterpretq_s32_f32(shifted);
			UNROLL for (int i = h; i < 2; i += halves) { // 16 values of k
				int8x16_t x[TILE_COLS];
				UNROLL for (int t = 0; t < cols; t++) x[t] = vreinterpretq_s8_u8(i_load(a[t] + 16 + 16 * i));
#define PRODUCTS(lane) UNROLL for (int v = 0; v < PART; v++) { \
					const int8x16_t c = vreinterpretq_s8_u8(i_load(codes + (4 * i + lane) * GROUP + v * 4 * W)); \
					UNROLL for (int t = 0; t < cols; t++) sum[t][v] = vdotq_laneq_s32(sum[t][v], c, vreinterpretq_s32_s8(x[t]), lane); \
				}
				PRODUCTS(0) PRODUCTS(1) PRODUCTS(2) PRODUCTS(3)
				UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < PART; v++) PIN(sum[t][v]);
				IN_ORDER;
			}
			vf head[TILE_COLS];
			UNROLL for (int t = 0; t < cols; t++) head[t] = v_load(a[t]);
			UNROLL for (int v = 0; v < PART; v++) {
				const vf scale = v_load(w + h * 64 + v * 4 * W), minimum = minima ? v_load(w + (halves + h) * 64 + v * 4 * W) : v_zero();
				UNROLL for (int t = 0; t < cols; t++) {
					acc[t][v] = v_fma(vsubq_f32(vreinterpretq_f32_s32(sum[t][v]), shifted), vmulq_laneq_f32(scale, head[t], 0), acc[t][v]);
					if (minima) acc[t][v] = h ? vfmaq_laneq_f32(acc[t][v], minimum, head[t], 2) : vfmaq_laneq_f32(acc[t][v], minimum, head[t], 1);
					PIN(acc[t][v]);
				}
			}
			IN_ORDER;
		}
		w += RECORD(halves, minima);
		UNROLL for (int t = 0; t < cols; t++) {
			if (first) __builtin_prefetch(a[t] + cols * o->lda); // for the next tile
			a[t] += BLOCK_BYTES;
		}
		if (o->next < o->nextEnd) {
			__builtin_prefetch(o->next, 0, 2);
			__builtin_prefetch(o->next + 64, 0, 2);
			o->next += 128;
		}
	}
	UNROLL for (int t = 0; t < cols; t++) UNROLL for (int v = 0; v < PART; v++)
		v_store_masked(o->c + t * o->ldc + (first + v) * W, v_first(columns - v * W), acc[t][v]);
}

// tile computes cols rows of activations with one panel of unpacked records.
INLINE void tile(const int cols, const int halves, const int minima, const int wide, operands *o, i64 panelStride, i64 blocks) {
	(void)wide, (void)panelStride;
	part(cols, halves, minima, o, 0, blocks);
	if (o->columns > PART * W) part(cols, halves, minima, o, PART, blocks);
}
