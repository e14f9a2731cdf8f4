// The product of BF16 matrices: gemm.h with pairs of BF16 numbers in place of floats, and the rounding of floats to such pairs.
//
// A pair is 32 bits, the number of the even index in the low half. One step of the reduction is what VDPBF16PS does: an fma of the
// odd numbers, then one of the even, each rounded to nearest even, with denormal operands and results taken as zero.
// Without the instruction it is two fmas of floats, with the processor told to flush denormals both ways (bits DAZ and FTZ of MXCSR). That is
// exact: a BF16 number is a float whose low half is 0. Only the bits of a NaN may differ.
#if defined(NATIVE_BF16)

#define GEMM_PARTS 1
#define GEMM_PART_BEGINS
#define GEMM_ENTER
#define GEMM_LEAVE
INLINE vf gemm_part(vf x, const int part) { (void)part; return x; }
INLINE vf gemm_step(vf x, vf b, vf acc) { return _mm512_dpbf16_ps(acc, (__m512bh)x, (__m512bh)b); }

#else

// All exceptions masked, round to nearest even, FTZ and DAZ.
#define FLUSH_DENORMALS 0x9fc0
#define GEMM_PARTS 2
// Operands are loaded anew for each part: kept, they would not fit the registers.
#define GEMM_PART_BEGINS __asm__ volatile("" : : : "memory");
#define GEMM_ENTER \
	const unsigned mxcsr = _mm_getcsr(); \
	_mm_setcsr(FLUSH_DENORMALS);
#define GEMM_LEAVE _mm_setcsr(mxcsr);
#if defined(LEVEL_AVX512)
INLINE vf gemm_part(vf x, const int part) {
	const __m512i pair = _mm512_castps_si512(x);
	return _mm512_castsi512_ps(part == 0 ? _mm512_and_si512(pair, _mm512_set1_epi32((int)0xffff0000u)) : _mm512_slli_epi32(pair, 16));
}
#else
INLINE vf gemm_part(vf x, const int part) {
	const __m256i pair = _mm256_castps_si256(x);
	return _mm256_castsi256_ps(part == 0 ? _mm256_and_si256(pair, _mm256_set1_epi32((int)0xffff0000u)) : _mm256_slli_epi32(pair, 16));
}
#endif
INLINE vf gemm_step(vf x, vf b, vf acc) { return v_fma(x, b, acc); }

#endif

#include "gemm.h"

INLINE __m256i first_of_eight(i64 n) {
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > 8 ? 8 : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#if defined(NATIVE_BF16)

INLINE __m256i round16(__m256 low, __m256 high) {
	return (__m256i)_mm512_cvtneps_pbh(_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1));
}

#else

// round8 gives the BF16 numbers in the low halves: to nearest even, a denormal to zero, a NaN made quiet and cut.
INLINE __m256i round8(__m256 x) {
	const __m256i bits = _mm256_castps_si256(x), high = _mm256_srli_epi32(bits, 16);
	const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
	const __m256i even = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), _mm256_and_si256(high, _mm256_set1_epi32(1)));
	__m256i out = _mm256_srli_epi32(_mm256_add_epi32(bits, even), 16);
	const __m256i denormal = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);
	out = _mm256_blendv_epi8(out, _mm256_and_si256(high, _mm256_set1_epi32(0x8000)), denormal);
	const __m256i nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
	return _mm256_blendv_epi8(out, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), nan);
}

INLINE __m256i round16(__m256 low, __m256 high) {
	return _mm256_permute4x64_epi64(_mm256_packus_epi32(round8(low), round8(high)), 0xd8);
}

#endif

// roundRows: see RoundBF16.
EXPORT void roundRows(uint32_t *dst, i64 ldDst, const float *x, i64 ldX, i64 rows, i64 k) {
	for (; rows > 0; rows--, dst += ldDst, x += ldX) {
		i64 p = 0;
		for (; p + 16 <= k; p += 16)
			_mm256_storeu_si256((__m256i *)(dst + p / 2), round16(_mm256_loadu_ps(x + p), _mm256_loadu_ps(x + p + 8)));
		if (p == k) continue;
		const __m256 low = _mm256_maskload_ps(x + p, first_of_eight(k - p));
		__m256 high = _mm256_setzero_ps();
		if (k - p > 8) high = _mm256_maskload_ps(x + p + 8, first_of_eight(k - p - 8));
		_mm256_maskstore_epi32((int *)(dst + p / 2), first_of_eight((k - p + 1) / 2), round16(low, high));
	}
}
