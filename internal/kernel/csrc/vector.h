// The vector of one instruction set, so that the algorithms are written once.
//
// W lanes of float in one vector; VP vectors make the 16 columns of a panel. Masked loads give zero in the lanes left out
// and never touch their memory. The only arithmetic is what is written: contraction is off, fma is explicit.
#if defined(LEVEL_NEON)
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif
#include <stdint.h>

typedef int64_t i64;

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((used))
#define UNROLL _Pragma("clang loop unroll(full)")
#define PANEL 16

// v_prefetch asks for a cache line before it is needed, v_prefetch_soon for one that is needed soon, into all caches; p may point anywhere.
INLINE void v_prefetch(const void *p) { __builtin_prefetch(p, 0, 2); }
INLINE void v_prefetch_soon(const void *p) { __builtin_prefetch(p, 0, 3); }

#if defined(LEVEL_AVX512)

#define W 16
typedef __m512 vf;
typedef __mmask16 vm;
INLINE vf v_set(float x) { return _mm512_set1_ps(x); }
INLINE vf v_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
INLINE vm v_first(i64 n) { return n >= W ? (vm)0xffff : n <= 0 ? (vm)0 : (vm)((1u << n) - 1); }
INLINE vf v_load_masked(const float *p, vm m) { return _mm512_maskz_loadu_ps(m, p); }
INLINE void v_store_masked(float *p, vm m, vf x) { _mm512_mask_storeu_ps(p, m, x); }
INLINE vf v_select(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf v_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); } // b if either is NaN
INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); } // b if either is NaN
INLINE vf v_neg(vf a) { return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_set1_epi32((int)0x80000000u))); }
INLINE vm v_less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE vm v_not_less_equal(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ); } // also if either is NaN
// v_shift_exponent adds the integer in the low bits of n to the exponent of a.
INLINE vf v_shift_exponent(vf a, vf n) {
	return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(_mm512_castps_si512(n), 23)));
}
// v_split takes the power of two out of a normal positive a, so that what is left lies in [sqrt(1/2), sqrt(2)).
INLINE vf v_split(vf a, vf *exponent) {
	const __m512i bits = _mm512_castps_si512(a);
	const __m512i e = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3)), 23);
	*exponent = _mm512_cvtepi32_ps(e);
	return _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(e, 23)));
}
INLINE __m256 v_fold(vf a) { return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)); }
INLINE __m256 v_fold_max(vf a) { return _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)); }

#elif defined(LEVEL_AVX2)

#define W 8
typedef __m256 vf;
typedef __m256 vm; // all bits of a chosen lane set
INLINE vf v_set(float x) { return _mm256_set1_ps(x); }
INLINE vf v_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void v_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
INLINE vm v_first(i64 n) {
	return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n > W ? W : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
}
INLINE vf v_load_masked(const float *p, vm m) { return _mm256_maskload_ps(p, _mm256_castps_si256(m)); }
INLINE void v_store_masked(float *p, vm m, vf x) { _mm256_maskstore_ps(p, _mm256_castps_si256(m), x); }
INLINE vf v_select(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
INLINE vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf v_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf v_sqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); } // b if either is NaN
INLINE vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); } // b if either is NaN
INLINE vf v_neg(vf a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
INLINE vm v_less(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE vm v_not_less_equal(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_NLE_UQ); } // also if either is NaN
// v_shift_exponent adds the integer in the low bits of n to the exponent of a.
INLINE vf v_shift_exponent(vf a, vf n) {
	return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_castps_si256(n), 23)));
}
// v_split takes the power of two out of a normal positive a, so that what is left lies in [sqrt(1/2), sqrt(2)).
INLINE vf v_split(vf a, vf *exponent) {
	const __m256i bits = _mm256_castps_si256(a);
	const __m256i e = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
	*exponent = _mm256_cvtepi32_ps(e);
	return _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23)));
}
INLINE __m256 v_fold(vf a) { return a; }
INLINE __m256 v_fold_max(vf a) { return a; }

#elif defined(LEVEL_NEON)

#define W 4
typedef float32x4_t vf;
typedef uint32x4_t vm; // all bits of a chosen lane set
INLINE vf v_set(float x) { return vdupq_n_f32(x); }
INLINE vf v_load(const float *p) { return vld1q_f32(p); }
INLINE void v_store(float *p, vf x) { vst1q_f32(p, x); }
INLINE vm v_first(i64 n) {
	const int32x4_t lanes = {0, 1, 2, 3};
	return vcgtq_s32(vdupq_n_s32(n > W ? W : n < 0 ? 0 : (int)n), lanes);
}
// There is no masked load or store: each chosen lane goes alone.
INLINE vf v_load_masked(const float *p, vm m) {
	vf x = vdupq_n_f32(0);
	if (m[0]) x = vld1q_lane_f32(p, x, 0);
	if (m[1]) x = vld1q_lane_f32(p + 1, x, 1);
	if (m[2]) x = vld1q_lane_f32(p + 2, x, 2);
	if (m[3]) x = vld1q_lane_f32(p + 3, x, 3);
	return x;
}
INLINE void v_store_masked(float *p, vm m, vf x) {
	if (m[0]) vst1q_lane_f32(p, x, 0);
	if (m[1]) vst1q_lane_f32(p + 1, x, 1);
	if (m[2]) vst1q_lane_f32(p + 2, x, 2);
	if (m[3]) vst1q_lane_f32(p + 3, x, 3);
}
INLINE vf v_select(vm m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
INLINE vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
INLINE vf v_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
INLINE vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
INLINE vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
INLINE vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
INLINE vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
INLINE vf v_sqrt(vf a) { return vsqrtq_f32(a); }
INLINE vf v_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); } // b if either is NaN, which FMAX does not give
INLINE vf v_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); } // b if either is NaN
INLINE vf v_neg(vf a) { return vnegq_f32(a); }
INLINE vm v_less(vf a, vf b) { return vcltq_f32(a, b); }
INLINE vm v_not_less_equal(vf a, vf b) { return vmvnq_u32(vcleq_f32(a, b)); } // also if either is NaN
// v_shift_exponent adds the integer in the low bits of n to the exponent of a.
INLINE vf v_shift_exponent(vf a, vf n) {
	return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), vshlq_n_s32(vreinterpretq_s32_f32(n), 23)));
}
// v_split takes the power of two out of a normal positive a, so that what is left lies in [sqrt(1/2), sqrt(2)).
INLINE vf v_split(vf a, vf *exponent) {
	const int32x4_t bits = vreinterpretq_s32_f32(a);
	const int32x4_t e = vshrq_n_s32(vsubq_s32(bits, vdupq_n_s32(0x3f3504f3)), 23);
	*exponent = vcvtq_f32_s32(e);
	return vreinterpretq_f32_s32(vsubq_s32(bits, vshlq_n_s32(e, 23)));
}

#else
#error "no level chosen"
#endif

#define VP (PANEL / W)

INLINE vf v_zero(void) { return v_set(0); }

// v_sum and v_maximum reduce the lanes as a tree of halves.
#if defined(LEVEL_NEON)
INLINE float v_sum(vf a) {
	const float32x2_t y = vadd_f32(vget_low_f32(a), vget_high_f32(a));
	return y[0] + y[1];
}
INLINE float v_maximum(vf a) {
	const vf y = v_max(a, vextq_f32(a, a, 2));
	return y[0] > y[1] ? y[0] : y[1];
}
INLINE float s_sqrt(float a) { return __builtin_sqrtf(a); }
#else
INLINE float v_sum(vf a) {
	const __m256 x = v_fold(a);
	const __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
	const __m128 z = _mm_add_ps(y, _mm_movehl_ps(y, y));
	return _mm_cvtss_f32(_mm_add_ss(z, _mm_shuffle_ps(z, z, 1)));
}
INLINE float v_maximum(vf a) {
	const __m256 x = v_fold_max(a);
	const __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
	const __m128 z = _mm_max_ps(y, _mm_movehl_ps(y, y));
	return _mm_cvtss_f32(_mm_max_ss(z, _mm_shuffle_ps(z, z, 1)));
}
INLINE float s_sqrt(float a) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a))); }
#endif
INLINE float s_first(vf a) { return a[0]; }
INLINE i64 smaller(i64 a, i64 b) { return a < b ? a : b; }
INLINE i64 larger(i64 a, i64 b) { return a > b ? a : b; }

// EACH_VECTOR calls step(j, whole, mask) for the vectors of n floats: the last may be partial, and then mask tells its lanes.
// A step is an inlined function with the arguments given, so whole is a constant in it.
#define EACH_VECTOR(n, step, ...) \
	do { \
		i64 j_ = 0; \
		for (; j_ + W <= (n); j_ += W) step(__VA_ARGS__, j_, 1, v_first(W)); \
		if (j_ < (n)) step(__VA_ARGS__, j_, 0, v_first((n) - j_)); \
	} while (0)
INLINE vf v_get(const float *p, int whole, vm mask) { return whole ? v_load(p) : v_load_masked(p, mask); }
INLINE void v_put(float *p, vf x, int whole, vm mask) {
	if (whole) v_store(p, x);
	else v_store_masked(p, mask, x);
}
