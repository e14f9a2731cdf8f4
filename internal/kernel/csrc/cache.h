// The numbers of the key/value cache: NUMBER is their type, kv_load widens a vector of them. KV_BF16 and KV_F16 choose 16 bits; there masks
// begin at lane 0 and leave an even number of lanes, since AVX2 masks 32 bits at a time. KV_Q8_0 chooses 8 bits, of which 32 along the head share
// a scale in F16: kv_load gives a number without its scale. The product of the two is exact.
#if defined(KV_BF16) || defined(KV_F16)
#define NUMBER uint16_t

#if defined(LEVEL_AVX512)

typedef __m256i half;
INLINE half half_load(const NUMBER *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE half half_load_masked(const NUMBER *p, vm m) { return _mm256_maskz_loadu_epi16(m, p); }
INLINE void half_store(NUMBER *p, half x) { _mm256_storeu_si256((__m256i *)p, x); }
INLINE void half_store_masked(NUMBER *p, vm m, half x) { _mm256_mask_storeu_epi16(p, m, x); }
#if defined(KV_F16)
INLINE vf widen(half x) { return _mm512_cvtph_ps(x); }
INLINE half narrow(vf x) { return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
INLINE vf widen(half x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }
INLINE half narrow(vf x) {
	const __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
	const __m512i even = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), _mm512_and_si512(high, _mm512_set1_epi32(1)));
	const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, even), 16);
	const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
	return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40)));
}
#endif

#elif defined(LEVEL_AVX2)

typedef __m128i half;
INLINE __m128i pairs_of(vm m) {
	const __m256i lanes = _mm256_castps_si256(m);
	return _mm_packs_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
}
INLINE half half_load(const NUMBER *p) { return _mm_loadu_si128((const __m128i *)p); }
INLINE half half_load_masked(const NUMBER *p, vm m) { return _mm_maskload_epi32((const int *)p, pairs_of(m)); }
INLINE void half_store(NUMBER *p, half x) { _mm_storeu_si128((__m128i *)p, x); }
INLINE void half_store_masked(NUMBER *p, vm m, half x) { _mm_maskstore_epi32((int *)p, pairs_of(m), x); }
#if defined(KV_F16)
INLINE vf widen(half x) { return _mm256_cvtph_ps(x); }
INLINE half narrow(vf x) { return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
INLINE vf widen(half x) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16)); }
INLINE half narrow(vf x) {
	const __m256i bits = _mm256_castps_si256(x), high = _mm256_srli_epi32(bits, 16);
	const __m256i even = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), _mm256_and_si256(high, _mm256_set1_epi32(1)));
	const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, even), 16);
	const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
	const __m256i out = _mm256_blendv_epi8(rounded, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), nan);
	return _mm_packus_epi32(_mm256_castsi256_si128(out), _mm256_extracti128_si256(out, 1));
}
#endif

#else

typedef uint16x4_t half;
INLINE half half_load(const NUMBER *p) { return vld1_u16(p); }
INLINE half half_load_masked(const NUMBER *p, vm m) {
	half x = vdup_n_u16(0);
	if (m[0]) x = vld1_lane_u16(p, x, 0);
	if (m[1]) x = vld1_lane_u16(p + 1, x, 1);
	if (m[2]) x = vld1_lane_u16(p + 2, x, 2);
	if (m[3]) x = vld1_lane_u16(p + 3, x, 3);
	return x;
}
INLINE void half_store(NUMBER *p, half x) { vst1_u16(p, x); }
INLINE void half_store_masked(NUMBER *p, vm m, half x) {
	if (m[0]) vst1_lane_u16(p, x, 0);
	if (m[1]) vst1_lane_u16(p + 1, x, 1);
	if (m[2]) vst1_lane_u16(p + 2, x, 2);
	if (m[3]) vst1_lane_u16(p + 3, x, 3);
}
#if defined(KV_F16)
INLINE vf widen(half x) { return vcvt_f32_f16(vreinterpret_f16_u16(x)); }
INLINE half narrow(vf x) { return vreinterpret_u16_f16(vcvt_f16_f32(x)); }
#else
INLINE vf widen(half x) { return vreinterpretq_f32_u32(vshll_n_u16(x, 16)); }
INLINE half narrow(vf x) {
	const uint32x4_t bits = vreinterpretq_u32_f32(x), high = vshrq_n_u32(bits, 16);
	const uint32x4_t even = vaddq_u32(vdupq_n_u32(0x7fff), vandq_u32(high, vdupq_n_u32(1)));
	const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(bits, even), 16);
	return vmovn_u32(vbslq_u32(vceqq_f32(x, x), rounded, vorrq_u32(high, vdupq_n_u32(0x40))));
}
#endif

#endif

INLINE vf kv_load(const NUMBER *p) { return widen(half_load(p)); }
INLINE vf kv_get(const NUMBER *p, int whole, vm mask) { return widen(whole ? half_load(p) : half_load_masked(p, mask)); }

INLINE void round_step(NUMBER *to, const float *from, i64 j, int whole, vm mask) {
	const half x = narrow(v_get(from + j, whole, mask));
	if (whole) half_store(to + j, x);
	else half_store_masked(to + j, mask, x);
}

// roundNumbers rounds n numbers, an even count, to nearest even.
EXPORT void roundNumbers(uint16_t *to, const float *from, i64 n) {
	EACH_VECTOR(n, round_step, to, from);
}

#elif defined(KV_Q8_0)
#define NUMBER uint8_t

#if defined(LEVEL_AVX512)
INLINE vf kv_load(const NUMBER *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p))); }
INLINE vf scale_load(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
#elif defined(LEVEL_AVX2)
INLINE vf kv_load(const NUMBER *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p))); }
INLINE vf scale_load(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
#else
INLINE vf kv_load(const NUMBER *p) {
	const int8x8_t four = vreinterpret_s8_u32(vld1_lane_u32((const uint32_t *)p, vdup_n_u32(0), 0));
	return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(four))));
}
INLINE vf scale_load(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
#endif

#else
#define NUMBER float
INLINE vf kv_load(const NUMBER *p) { return v_load(p); }
INLINE vf kv_get(const NUMBER *p, int whole, vm mask) { return v_get(p, whole, mask); }
#endif
