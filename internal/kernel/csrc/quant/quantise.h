// The quantisation of activations for both AVX levels: see Quantise. Four blocks of 32 numbers go side by side, one in each lane of what a block has one
// number of.

// PARTLY is for what is a call where there are few registers: all in one, the function would need more stack than it may have.
#if defined(LEVEL_AVX512)
#define PARTLY INLINE
#else
#define PARTLY NOINLINE
#endif
#define PINNED(x) __asm__ volatile("" : "+v"(x)) // computed here, and not where the compiler finds it convenient

INLINE __m128i lane(__m128i x, const int b) { return b == 0 ? x : b == 1 ? _mm_shuffle_epi32(x, 0x55) : b == 2 ? _mm_shuffle_epi32(x, 0xaa) : _mm_shuffle_epi32(x, 0xff); }

INLINE __m256i sum_in_pairs(const __m256i x[4]) { // of neighbours, twice: each lane of 128 bits has the four sums of its half
	return _mm256_hadd_epi32(_mm256_hadd_epi32(x[0], x[1]), _mm256_hadd_epi32(x[2], x[3]));
}

INLINE __m128i sum_each(const __m256i x[4]) { // of all 8
	const __m256i halves = sum_in_pairs(x);
	return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

INLINE __m256i most_in_pairs(__m256i x, __m256i y) { return _mm256_max_epi32(_mm256_unpacklo_epi32(x, y), _mm256_unpackhi_epi32(x, y)); }

// most_each is the largest magnitude of each of four blocks, `apart` blocks apart.
PARTLY __m128 most_each(const float *x, i64 apart) {
	const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
	__m256i most[4];
	UNROLL for (int b = 0; b < 4; b++) UNROLL for (int i = 0; i < 4; i++) {
		const __m256i v = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + 32 * b * apart + 8 * i)), magnitude);
		most[b] = i == 0 ? v : _mm256_max_epi32(most[b], v);
	}
	const __m256i even = most_in_pairs(most[0], most[2]), odd = most_in_pairs(most[1], most[3]), all = most_in_pairs(even, odd);
	return _mm_castsi128_ps(_mm_max_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}

INLINE __m128 is_something(__m128 amax) { return _mm_cmp_ps(amax, _mm_set1_ps(0x1p-100f), _CMP_NLT_UQ); }

// fine_numbers rounds four blocks to whole numbers of 16 bits. Packing takes halves of 128 bits apart, so that each two fours change places.
PARTLY void fine_numbers(__m256i t[4][2], const float *x, i64 apart, __m128 amax) {
	const __m128 inverse = _mm_and_ps(is_something(amax), _mm_div_ps(_mm_set1_ps(32512.0f), amax));
	UNROLL for (int b = 0; b < 4; b++) {
		const __m256 by = _mm256_broadcastss_ps(_mm_castsi128_ps(lane(_mm_castps_si128(inverse), b)));
		__m256i n[4];
		UNROLL for (int i = 0; i < 4; i++) n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 32 * b * apart + 8 * i), by));
		t[b][0] = _mm256_packs_epi32(n[0], n[1]), t[b][1] = _mm256_packs_epi32(n[2], n[3]);
	}
}

// best_factors chooses the factor for the numbers t of each block, twice in 32 bits, and tells the scale.
PARTLY __m128i best_factors(const __m256i t[4][2], __m128 amax, __m128 *d) {
	__m128 most = _mm_setzero_ps(), best = _mm_setzero_ps(), factors = _mm_setzero_ps();
	UNROLL for (int f = 128; f > 120; f -= 2) {
		const __m256i factor = _mm256_set1_epi16((int16_t)f);
		__m256i across[4], square[4];
		UNROLL for (int b = 0; b < 4; b++) {
			const __m256i n0 = _mm256_mulhrs_epi16(t[b][0], factor), n1 = _mm256_mulhrs_epi16(t[b][1], factor);
			across[b] = _mm256_add_epi32(_mm256_madd_epi16(t[b][0], n0), _mm256_madd_epi16(t[b][1], n1));
			square[b] = _mm256_add_epi32(_mm256_madd_epi16(n0, n0), _mm256_madd_epi16(n1, n1));
		}
		UNROLL for (int b = 0; b < 4; b++) {
			PINNED(across[b]);
			PINNED(square[b]);
		}
		const __m128 a = _mm_cvtepi32_ps(sum_each(across)), step = _mm_div_ps(a, _mm_cvtepi32_ps(sum_each(square))), share = _mm_mul_ps(a, step);
		const __m128 isMore = f == 128 ? _mm_castsi128_ps(_mm_set1_epi32(-1)) : _mm_cmp_ps(share, most, _CMP_GT_OQ);
		most = _mm_blendv_ps(most, share, isMore);
		best = _mm_blendv_ps(best, step, isMore);
		factors = _mm_blendv_ps(factors, _mm_castsi128_ps(_mm_set1_epi32(f * 0x10001)), isMore);
	}
	*d = _mm_and_ps(is_something(amax), _mm_mul_ps(_mm_mul_ps(amax, _mm_set1_ps(1 / 32512.0f)), best));
	return _mm_castps_si128(factors);
}

// write_heads writes the words before the numbers of each block.
INLINE void write_heads(uint32_t *to, i64 apart, __m128 d, __m128i first, __m128i second, i64 zero, i64 isMinima) {
	if (isMinima) {
		first = _mm_castps_si128(_mm_mul_ps(d, _mm_cvtepi32_ps(first)));
		second = _mm_castps_si128(_mm_mul_ps(d, _mm_cvtepi32_ps(second)));
	} else {
		first = _mm_mullo_epi32(_mm_set1_epi32(-(int32_t)zero), first);
		second = _mm_mullo_epi32(_mm_set1_epi32(-(int32_t)zero), second);
	}
	const __m128i none = _mm_setzero_si128(), scale = _mm_castps_si128(d);
	const __m128i low = _mm_unpacklo_epi32(scale, second), low2 = _mm_unpacklo_epi32(first, none);
	const __m128i high = _mm_unpackhi_epi32(scale, second), high2 = _mm_unpackhi_epi32(first, none);
	_mm_storeu_si128((__m128i *)to, _mm_unpacklo_epi32(low, low2));
	_mm_storeu_si128((__m128i *)(to + 12 * apart), _mm_unpackhi_epi32(low, low2));
	_mm_storeu_si128((__m128i *)(to + 24 * apart), _mm_unpacklo_epi32(high, high2));
	_mm_storeu_si128((__m128i *)(to + 36 * apart), _mm_unpackhi_epi32(high, high2));
}

// write_blocks writes four blocks, whose numbers are t by their factors. The form is 2·halves, and 1 more for minima.
PARTLY void write_blocks(uint32_t *to, i64 apart, const __m256i t[4][2], __m128i factors, __m128 d, i64 zero, i64 form) {
	__m256i sums[4];
	UNROLL for (int b = 0; b < 4; b++) {
		const __m256i factor = _mm256_broadcastd_epi32(lane(factors, b));
		// Packing takes halves of 128 bits apart: the permutation puts the groups of four back in order.
		const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(_mm256_mulhrs_epi16(t[b][0], factor), _mm256_mulhrs_epi16(t[b][1], factor)),
			_mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
		_mm256_storeu_si256((__m256i *)(to + 12 * b * apart + 4), bytes);
		sums[b] = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
	}
	const __m256i all = sum_in_pairs(sums);
	__m128i first = _mm256_castsi256_si128(all), second = _mm256_extracti128_si256(all, 1);
	if (form < 4) first = _mm_add_epi32(first, second), second = _mm_setzero_si128();
	write_heads(to, apart, d, first, second, zero, form & 1);
}

// quantiseRow: blocks of 32 of x. The last four are done together, some of them again; where there are no four, the four are one.
EXPORT void quantiseRow(uint32_t *dst, const float *x, i64 blocks, i64 zero, i64 halves, i64 minima) {
	const i64 apart = blocks >= 4, more = apart ? 4 : 1;
	__m128 amax = most_each(x, apart);
	for (i64 left = blocks - more;;) {
		__m256i t[4][2];
		fine_numbers(t, x, apart, amax);
		__m128 d;
		const __m128i factors = best_factors(t, amax, &d);
		// While the best is found, which takes long after it has little to do, the next blocks are looked at.
		IN_ORDER;
		const i64 step = left < more ? left : more;
		x += 32 * step;
		amax = most_each(x, apart);
		PINNED(amax);
		IN_ORDER;
		write_blocks(dst, apart, t, factors, d, zero, 2 * halves + minima);
		if (step == 0) break;
		dst += 12 * step, left -= step;
	}
}
