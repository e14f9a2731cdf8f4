// Packing of matrices into panels of 16 columns.

// load_side reads a vector of SIDE values of row `row`, or zeros behind the last row, or behind the last of `left` values;
// transpose writes a square matrix, of which r are the rows, column by column, PANEL floats apart; of these the first `count`.
#if defined(LEVEL_NEON)

#define SIDE 4
typedef vf vs;
INLINE vs load_side(const float *w, i64 ldw, i64 row, i64 rows, i64 left) {
	if (row >= rows) return v_zero();
	return left >= 4 ? v_load(w + row * ldw) : v_load_masked(w + row * ldw, v_first(left));
}

INLINE void transpose(float *dst, const vs *r, i64 count) {
	const float32x4x2_t a = vzipq_f32(r[0], r[2]), b = vzipq_f32(r[1], r[3]);
	const float32x4x2_t low = vzipq_f32(a.val[0], b.val[0]), high = vzipq_f32(a.val[1], b.val[1]);
	const vs columns[4] = {low.val[0], low.val[1], high.val[0], high.val[1]};
	UNROLL for (int i = 0; i < 4; i++)
		if (i < count) v_store(dst + i * PANEL, columns[i]);
}

#else

#define SIDE 8
typedef __m256 vs;
INLINE vs load_side(const float *w, i64 ldw, i64 row, i64 rows, i64 left) {
	if (row >= rows) return _mm256_setzero_ps();
	if (left >= 8) return _mm256_loadu_ps(w + row * ldw);
	const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	return _mm256_maskload_ps(w + row * ldw, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)left), lanes));
}

INLINE void transpose(float *dst, const vs *r, i64 count) {
	__m256 pairs[8], quads[8], columns[8];
	UNROLL for (int i = 0; i < 8; i += 2) {
		pairs[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		pairs[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	UNROLL for (int i = 0; i < 8; i += 4) UNROLL for (int j = 0; j < 2; j++) {
		quads[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
		quads[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xee);
	}
	UNROLL for (int i = 0; i < 4; i++) {
		columns[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
		columns[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
	}
	UNROLL for (int i = 0; i < 8; i++)
		if (i < count) _mm256_storeu_ps(dst + i * PANEL, columns[i]);
}

#endif

// packRows: see PackRows.
EXPORT void packRows(float *dst, const float *w, i64 n, i64 k, i64 ldw) {
	for (; n > 0; n -= PANEL, w += PANEL * ldw, dst += PANEL * k) {
		for (i64 part = 0; part < PANEL; part += SIDE) for (i64 p = 0; p < k; p += SIDE) {
			vs r[SIDE];
			UNROLL for (int i = 0; i < SIDE; i++) r[i] = load_side(w + p, ldw, part + i, n, k - p);
			transpose(dst + p * PANEL + part, r, k - p);
		}
	}
}

// packColumns: see PackColumns.
EXPORT void packColumns(float *dst, const float *w, i64 k, i64 n, i64 ldw) {
	for (; n > 0; n -= PANEL, w += PANEL) {
		const float *row = w;
		for (i64 p = 0; p < k; p++, row += ldw, dst += PANEL) {
			if (n >= PANEL) UNROLL for (int v = 0; v < VP; v++) v_store(dst + v * W, v_load(row + v * W));
			else UNROLL for (int v = 0; v < VP; v++) v_store(dst + v * W, v_load_masked(row + v * W, v_first(n - v * W)));
		}
	}
}

INLINE void copy_rows_step(float *to, const float *from, i64 j, int whole, vm mask) { v_put(to + j, v_get(from + j, whole, mask), whole, mask); }

// copyRows copies rows of n floats.
EXPORT void copyRows(float *dst, i64 ldDst, const float *src, i64 ldSrc, i64 rows, i64 n) {
	for (; rows > 0; rows--, dst += ldDst, src += ldSrc) EACH_VECTOR(n, copy_rows_step, dst, src);
}
