// The quantisation of activations, 32 numbers at a time, for both AVX levels: see Quantise.

INLINE int32_t sum_bytes(__m256i products) { // of 8 numbers of 32 bits in two halves of 4
	__m128i x = _mm_add_epi32(_mm256_castsi256_si128(products), _mm256_extracti128_si256(products, 1));
	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
	return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}

// quantiseRows: blocks of 32 of each row of x; the row of dst is filled up with zeros to `words` words.
EXPORT void quantiseRows(uint32_t *dst, i64 ldDst, const float *x, i64 ldX, i64 rows, i64 blocks, i64 words, i64 zero, i64 halves, i64 minima) {
	const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), ones = _mm256_set1_epi16(1);
	for (; rows > 0; rows--, dst += ldDst, x += ldX) {
		const float *from = x;
		uint32_t *to = dst;
		for (i64 b = 0; b < blocks; b++, from += 32, to += 12) {
			__m256 v[4];
			__m256i most = _mm256_setzero_si256(), n[4];
			UNROLL for (int i = 0; i < 4; i++) {
				v[i] = _mm256_loadu_ps(from + 8 * i);
				most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(v[i]), magnitude));
			}
			__m128i m = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
			m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
			m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
			const float amax = _mm_cvtss_f32(_mm_castsi128_ps(m));
			if (amax < 0x1p-100f) {
				UNROLL for (int i = 0; i < 12; i += 4) _mm_storeu_si128((__m128i *)(to + i), _mm_setzero_si128());
				continue;
			}
			const float d = amax / 127.0f;
			const __m256 inverse = _mm256_set1_ps(127.0f / amax);
			UNROLL for (int i = 0; i < 4; i++) n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
			// Packing takes halves of 128 bits apart: the permutation puts the groups of four back in order.
			const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3])),
				_mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
			_mm256_storeu_si256((__m256i *)(to + 4), bytes);
			const __m256i low = _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(bytes)), ones);
			const __m256i high = _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm256_extracti128_si256(bytes, 1)), ones);
			int32_t first, second = 0;
			if (halves == 1) first = sum_bytes(_mm256_add_epi32(low, high));
			else first = sum_bytes(low), second = sum_bytes(high);
			float *words = (float *)to;
			words[0] = d;
			if (minima) {
				words[1] = d * (float)first;
				words[2] = halves == 1 ? 0 : d * (float)second;
			} else {
				to[1] = (uint32_t)(-(int32_t)zero * first);
				to[2] = (uint32_t)(-(int32_t)zero * second);
			}
			to[3] = 0;
		}
		for (; to < dst + words; to += 4) _mm_storeu_si128((__m128i *)to, _mm_setzero_si128());
	}
}
