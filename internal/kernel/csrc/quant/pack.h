// The packing of 16 rows of quantised weights: see wordMove and halfMove in quantformat.go. `count` blocks of each row, stride bytes apart, go to places
// of which perUnit lie in a unit, `block` bytes apart.

#define FETCH 512 // bytes of each row beforehand: sixteen rows are more than the processor follows by itself

// transpose4 stores the words of four rows at x, ld bytes apart, as four vectors, step bytes apart.
#if defined(LEVEL_NEON)
typedef uint32x4_t word4;
INLINE word4 same_words(int32_t x) { return vdupq_n_u32((uint32_t)x); }
INLINE void transpose4(uint8_t *to, i64 step, const uint8_t *x, i64 ld, word4 flip) {
	uint64x2_t r[4]; // words 0 and 1, then 2 and 3, of two rows side by side
	UNROLL for (int i = 0; i < 2; i++) {
		const word4 top = vreinterpretq_u32_u8(i_load(x + 2 * i * ld)), below = vreinterpretq_u32_u8(i_load(x + (2 * i + 1) * ld));
		r[i] = vreinterpretq_u64_u32(veorq_u32(vzip1q_u32(top, below), flip));
		r[i + 2] = vreinterpretq_u64_u32(veorq_u32(vzip2q_u32(top, below), flip));
	}
	UNROLL for (int i = 0; i < 2; i++) {
		i_store(to + 2 * i * step, vreinterpretq_u8_u64(vzip1q_u64(r[2 * i], r[2 * i + 1])));
		i_store(to + (2 * i + 1) * step, vreinterpretq_u8_u64(vzip2q_u64(r[2 * i], r[2 * i + 1])));
	}
}
#else
typedef __m128i word4;
INLINE word4 same_words(int32_t x) { return _mm_set1_epi32(x); }
INLINE void transpose4(uint8_t *to, i64 step, const uint8_t *x, i64 ld, word4 flip) {
	__m128i r[4];
	UNROLL for (int i = 0; i < 4; i++) r[i] = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(x + i * ld)), flip);
	const __m128i a = _mm_unpacklo_epi32(r[0], r[1]), b = _mm_unpackhi_epi32(r[0], r[1]), c = _mm_unpacklo_epi32(r[2], r[3]), d = _mm_unpackhi_epi32(r[2], r[3]);
	_mm_storeu_si128((__m128i *)to, _mm_unpacklo_epi64(a, c));
	_mm_storeu_si128((__m128i *)(to + step), _mm_unpackhi_epi64(a, c));
	_mm_storeu_si128((__m128i *)(to + 2 * step), _mm_unpacklo_epi64(b, d));
	_mm_storeu_si128((__m128i *)(to + 3 * step), _mm_unpackhi_epi64(b, d));
}
#endif

// packWords moves `words` words of each row, a multiple of four: word c goes to step*c.
EXPORT void packWords(uint8_t *dst, const uint8_t *src, i64 ld, i64 words, i64 step, i64 flip, i64 count, i64 stride, i64 perUnit, i64 unit, i64 block) {
	const word4 mask = same_words((int32_t)flip);
	i64 o = 0;
	for (; count > 0; count--, src += stride) {
		for (i64 w = 0; w < words; w += 4) {
			UNROLL for (int q = 0; q < 4; q++) transpose4(dst + o * block + step * w + 16 * q, step, src + 4 * w + 4 * q * ld, ld, mask);
		}
		UNROLL for (int r = 0; r < 16; r++) __builtin_prefetch(src + r * ld + FETCH);
		if (++o == perUnit) o = 0, dst += unit;
	}
}

// packHalves moves two bytes of each row.
EXPORT void packHalves(uint8_t *dst, const uint8_t *src, i64 ld, i64 count, i64 stride, i64 perUnit, i64 unit, i64 block) {
	i64 o = 0;
	for (; count > 0; count--, src += stride) {
		UNROLL for (int r = 0; r < 16; r++) __builtin_memcpy(dst + o * block + 2 * r, src + r * ld, 2);
		if (++o == perUnit) o = 0, dst += unit;
	}
}
