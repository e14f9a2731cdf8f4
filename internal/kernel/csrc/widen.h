// Weights in F16, widened for products in float. A panel holds pairs of neighbouring k, one in each 32 bits, of 16 columns.
#include "vector.h"

#if defined(LEVEL_AVX512)

INLINE void widen_row(float *to, const uint32_t *from) {
	const __m512i pairs = _mm512_loadu_si512(from);
	_mm512_storeu_ps(to, _mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs)));
	_mm512_storeu_ps(to + PANEL, _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16))));
}

#elif defined(LEVEL_AVX2)

// The halves of 8 pairs that stand in the lower 16 bits, in their order.
INLINE __m128i lower_halves(__m256i pairs) {
	const __m256i low = _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff));
	return _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
}

INLINE void widen_row(float *to, const uint32_t *from) {
	UNROLL
	for (int i = 0; i < PANEL; i += 8) {
		const __m256i pairs = _mm256_loadu_si256((const __m256i *)(from + i));
		_mm256_storeu_ps(to + i, _mm256_cvtph_ps(lower_halves(pairs)));
		_mm256_storeu_ps(to + PANEL + i, _mm256_cvtph_ps(lower_halves(_mm256_srli_epi32(pairs, 16))));
	}
}

#else

INLINE void widen_row(float *to, const uint32_t *from) {
	UNROLL
	for (int i = 0; i < PANEL; i += 4) {
		const uint16x4x2_t pairs = vld2_u16((const uint16_t *)(from + i));
		vst1q_f32(to + i, vcvt_f32_f16(vreinterpret_f16_u16(pairs.val[0])));
		vst1q_f32(to + PANEL + i, vcvt_f32_f16(vreinterpret_f16_u16(pairs.val[1])));
	}
}

#endif

// widenPairs widens n rows of 16 pairs to 2n rows of 16 floats.
EXPORT void widenPairs(float *to, const uint32_t *from, i64 n) {
	for (i64 i = 0; i < n; i++) widen_row(to + 2 * PANEL * i, from + PANEL * i);
}
