// The vectors of integers of one instruction set, so that products with quantised weights are written once.
//
// W lanes of 32 bits in one vector; VP vectors make the 16 rows of a panel, and hold 4 bytes of each.
//
// The integer sums are exact and the float operations the same everywhere, so all levels give the same bits.
#if defined(LEVEL_NEON)
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif
#include <stdint.h>

typedef int64_t i64;

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#define EXPORT __attribute__((used))
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")
#define PANEL 16
#define GROUP 64 // bytes of 4 values of k of 16 rows

#if defined(LEVEL_AVX512)

#define W 16
typedef __m512i vi;
typedef __m512 vf;
typedef __mmask16 vm;
INLINE vi i_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE void i_store(void *p, vi x) { _mm512_storeu_si512(p, x); }
INLINE vi i_bytes(int x) { return _mm512_set1_epi8((char)x); }
INLINE vi i_set(int32_t x) { return _mm512_set1_epi32(x); }
INLINE vi i_and(vi a, vi b) { return _mm512_and_si512(a, b); }
INLINE vi i_or(vi a, vi b) { return _mm512_or_si512(a, b); }
INLINE vi i_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
INLINE vi i_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi i_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
// i_right and i_left shift lanes: who wants bytes masks what crosses.
INLINE vi i_right(vi a, i64 n) { return _mm512_srlv_epi32(a, _mm512_set1_epi32((int)n)); }
INLINE vi i_left(vi a, i64 n) { return _mm512_sllv_epi32(a, _mm512_set1_epi32((int)n)); }
INLINE vi i_table(const uint8_t *table, vi index) {
	return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table)), index);
}
// i_lanes widens W unsigned bytes, i_signed W signed ones.
INLINE vi i_lanes(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
INLINE vi i_signed(const uint8_t *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
// i_exponent is the bits of half of 2^(e-127): a float with the exponent field e-1, or one of two denormals.
INLINE vi i_exponent(vi e) {
	const vi normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
	const vi denormal = _mm512_slli_epi32(_mm512_add_epi32(e, _mm512_set1_epi32(1)), 21);
	return _mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2)), normal, denormal);
}
INLINE vf v_from(vi a) { return _mm512_cvtepi32_ps(a); }
INLINE vf v_bits(vi a) { return _mm512_castsi512_ps(a); }
INLINE vf v_half(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vf v_zero(void) { return _mm512_setzero_ps(); }
INLINE vf v_set(float x) { return _mm512_set1_ps(x); }
INLINE vf v_load(const void *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(void *p, vf x) { _mm512_storeu_ps(p, x); }
INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf v_neg(vf a) { return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_set1_epi32((int)0x80000000u))); }
INLINE vm v_first(i64 n) { return n >= W ? (vm)0xffff : n <= 0 ? (vm)0 : (vm)((1u << n) - 1); }
INLINE vf v_load_masked(const float *p, vm m) { return _mm512_maskz_loadu_ps(m, p); }
INLINE void v_store_masked(float *p, vm m, vf x) { _mm512_mask_storeu_ps(p, m, x); }

#elif defined(LEVEL_AVX2)

#define W 8
typedef __m256i vi;
typedef __m256 vf;
typedef __m256i vm;
INLINE vi i_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void i_store(void *p, vi x) { _mm256_storeu_si256((__m256i *)p, x); }
INLINE vi i_bytes(int x) { return _mm256_set1_epi8((char)x); }
INLINE vi i_set(int32_t x) { return _mm256_set1_epi32(x); }
INLINE vi i_and(vi a, vi b) { return _mm256_and_si256(a, b); }
INLINE vi i_or(vi a, vi b) { return _mm256_or_si256(a, b); }
INLINE vi i_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
INLINE vi i_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
INLINE vi i_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
INLINE vi i_right(vi a, i64 n) { return _mm256_srlv_epi32(a, _mm256_set1_epi32((int)n)); }
INLINE vi i_left(vi a, i64 n) { return _mm256_sllv_epi32(a, _mm256_set1_epi32((int)n)); }
INLINE vi i_table(const uint8_t *table, vi index) {
	return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table)), index);
}
INLINE vi i_lanes(const uint8_t *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
INLINE vi i_signed(const uint8_t *p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
INLINE vi i_exponent(vi e) {
	const vi normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
	const vi denormal = _mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(1)), 21);
	return _mm256_blendv_epi8(normal, denormal, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e));
}
INLINE vf v_from(vi a) { return _mm256_cvtepi32_ps(a); }
INLINE vf v_bits(vi a) { return _mm256_castsi256_ps(a); }
INLINE vf v_half(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
INLINE vf v_zero(void) { return _mm256_setzero_ps(); }
INLINE vf v_set(float x) { return _mm256_set1_ps(x); }
INLINE vf v_load(const void *p) { return _mm256_loadu_ps(p); }
INLINE void v_store(void *p, vf x) { _mm256_storeu_ps(p, x); }
INLINE vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf v_neg(vf a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
INLINE vm v_first(i64 n) {
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > W ? W : n < 0 ? 0 : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf v_load_masked(const float *p, vm m) { return _mm256_maskload_ps(p, m); }
INLINE void v_store_masked(float *p, vm m, vf x) { _mm256_maskstore_ps(p, m, x); }

#elif defined(LEVEL_NEON)

#define W 4
typedef uint8x16_t vi;
typedef float32x4_t vf;
typedef uint32x4_t vm; // all bits of a chosen lane set
INLINE vi i_load(const void *p) { return vld1q_u8((const uint8_t *)p); }
INLINE void i_store(void *p, vi x) { vst1q_u8((uint8_t *)p, x); }
INLINE vi i_bytes(int x) { return vdupq_n_u8((uint8_t)x); }
INLINE vi i_set(int32_t x) { return vreinterpretq_u8_s32(vdupq_n_s32(x)); }
INLINE vi i_and(vi a, vi b) { return vandq_u8(a, b); }
INLINE vi i_or(vi a, vi b) { return vorrq_u8(a, b); }
INLINE vi i_xor(vi a, vi b) { return veorq_u8(a, b); }
INLINE vi i_add(vi a, vi b) { return vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b))); }
INLINE vi i_sub(vi a, vi b) { return vreinterpretq_u8_u32(vsubq_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b))); }
INLINE vi i_right(vi a, i64 n) { return vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(a), vdupq_n_s32((int)-n))); }
INLINE vi i_left(vi a, i64 n) { return vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(a), vdupq_n_s32((int)n))); }
INLINE vi i_table(const uint8_t *table, vi index) { return vqtbl1q_u8(vld1q_u8(table), index); }
INLINE uint8x8_t four_bytes(const uint8_t *p) {
	uint32_t x;
	__builtin_memcpy(&x, p, 4);
	return vreinterpret_u8_u32(vdup_n_u32(x));
}
INLINE vi i_lanes(const uint8_t *p) { return vreinterpretq_u8_u32(vmovl_u16(vget_low_u16(vmovl_u8(four_bytes(p))))); }
INLINE vi i_signed(const uint8_t *p) { return vreinterpretq_u8_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(four_bytes(p)))))); }
INLINE vi i_exponent(vi e) {
	const uint32x4_t x = vreinterpretq_u32_u8(e);
	const uint32x4_t normal = vshlq_n_u32(vsubq_u32(x, vdupq_n_u32(1)), 23), denormal = vshlq_n_u32(vaddq_u32(x, vdupq_n_u32(1)), 21);
	return vreinterpretq_u8_u32(vbslq_u32(vcltq_u32(x, vdupq_n_u32(2)), denormal, normal));
}
INLINE vf v_from(vi a) { return vcvtq_f32_s32(vreinterpretq_s32_u8(a)); }
INLINE vf v_bits(vi a) { return vreinterpretq_f32_u8(a); }
INLINE vf v_half(const uint8_t *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
INLINE vf v_zero(void) { return vdupq_n_f32(0); }
INLINE vf v_set(float x) { return vdupq_n_f32(x); }
INLINE vf v_load(const void *p) { return vld1q_f32((const float *)p); }
INLINE void v_store(void *p, vf x) { vst1q_f32((float *)p, x); }
INLINE vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
INLINE vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
INLINE vf v_neg(vf a) { return vnegq_f32(a); }
INLINE vm v_first(i64 n) {
	const int32x4_t lanes = {0, 1, 2, 3};
	return vcgtq_s32(vdupq_n_s32(n > W ? W : n < 0 ? 0 : (int)n), lanes);
}
// There is no masked load or store: each chosen lane goes alone.
INLINE vf v_load_masked(const float *p, vm m) {
	if (m[3]) return vld1q_f32(p);
	vf x = vdupq_n_f32(0);
	if (m[0]) x = vld1q_lane_f32(p, x, 0);
	if (m[1]) x = vld1q_lane_f32(p + 1, x, 1);
	if (m[2]) x = vld1q_lane_f32(p + 2, x, 2);
	return x;
}
INLINE void v_store_masked(float *p, vm m, vf x) {
	if (m[3]) {
		vst1q_f32(p, x);
		return;
	}
	if (m[0]) vst1q_lane_f32(p, x, 0);
	if (m[1]) vst1q_lane_f32(p + 1, x, 1);
	if (m[2]) vst1q_lane_f32(p + 2, x, 2);
}

#else
#error "no level chosen"
#endif

#define VP (PANEL / W)
#if defined(LEVEL_NEON)
#define SIGNED_RECORDS 1 // unpacked codes have their zero taken off
#else
#define SIGNED_RECORDS 0
#endif

// dot2 adds to each lane the products of 4 codes (unsigned) with 4 activations (signed), for two groups. Where codes are wide, levels without an
// instruction for it multiply code - 128, and begin at 0 (see SIGNED_WIDE).
#if defined(VNNI)
#define SIGNED_WIDE 0
#if defined(LEVEL_AVX512)
INLINE vi dot(vi acc, vi codes, vi a) { return _mm512_dpbusd_epi32(acc, codes, a); }
#else
INLINE vi dot(vi acc, vi codes, vi a) { return _mm256_dpbusd_avx_epi32(acc, codes, a); }
#endif
INLINE vi dot2(const int wide, vi acc, vi codes0, vi a0, vi codes1, vi a1) {
	(void)wide;
	return dot(dot(acc, codes0, a0), codes1, a1);
}
#elif defined(LEVEL_NEON)
// Both operands are signed here. Without an instruction for it, two products of numbers up to 128 and 127 add up to at most 32512, which 16 bits hold.
#define SIGNED_WIDE 1
INLINE vi dot2(const int wide, vi acc, vi codes0, vi a0, vi codes1, vi a1) {
	const uint8x16_t flip = vdupq_n_u8(0x80);
	const int8x16_t c0 = vreinterpretq_s8_u8(wide ? veorq_u8(codes0, flip) : codes0), c1 = vreinterpretq_s8_u8(wide ? veorq_u8(codes1, flip) : codes1);
	const int8x16_t x0 = vreinterpretq_s8_u8(a0), x1 = vreinterpretq_s8_u8(a1);
	const int32x4_t sum = vreinterpretq_s32_u8(acc);
#if defined(DOTPROD)
	return vreinterpretq_u8_s32(vdotq_s32(vdotq_s32(sum, c0, x0), c1, x1));
#else
	const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(c0), vget_low_s8(x0)), vget_low_s8(c1), vget_low_s8(x1));
	const int16x8_t high = vmlal_s8(vmull_s8(vget_high_s8(c0), vget_high_s8(x0)), vget_high_s8(c1), vget_high_s8(x1));
	return vreinterpretq_u8_s32(vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high))));
#endif
}
#if defined(DOTPROD)
// dot_lane takes four of the sixteen activations in a.
INLINE vi dot_lane(const int wide, vi acc, vi codes, vi a, const int lane) {
	const int8x16_t c = vreinterpretq_s8_u8(wide ? veorq_u8(codes, vdupq_n_u8(0x80)) : codes);
	const int8x16_t x = vreinterpretq_s8_u8(a);
	const int32x4_t sum = vreinterpretq_s32_u8(acc);
	switch (lane) {
	case 0: return vreinterpretq_u8_s32(vdotq_laneq_s32(sum, c, x, 0));
	case 1: return vreinterpretq_u8_s32(vdotq_laneq_s32(sum, c, x, 1));
	case 2: return vreinterpretq_u8_s32(vdotq_laneq_s32(sum, c, x, 2));
	default: return vreinterpretq_u8_s32(vdotq_laneq_s32(sum, c, x, 3));
	}
}
#endif
#else
#define SIGNED_WIDE 1
// Codes up to 63: two products of 4 codes with numbers up to 127 make at most 4*63*127 = 32004, which 16 bits hold. Codes from -128 to 127: the
// magnitude goes into the unsigned operand and its sign to the activation, and 2*128*127 = 32512.
#if defined(LEVEL_AVX512)
INLINE vi product16(vi codes, vi a) { return _mm512_maddubs_epi16(codes, a); }
INLINE vi add16(vi a, vi b) { return _mm512_add_epi16(a, b); }
INLINE vi widen16(vi a) { return _mm512_madd_epi16(a, _mm512_set1_epi16(1)); }
INLINE vi signed16(vi codes, vi a) {
	const vi w = i_xor(codes, i_bytes(0x80));
	return product16(_mm512_abs_epi8(w), _mm512_mask_sub_epi8(a, _mm512_movepi8_mask(w), _mm512_setzero_si512(), a));
}
#else
INLINE vi product16(vi codes, vi a) { return _mm256_maddubs_epi16(codes, a); }
INLINE vi add16(vi a, vi b) { return _mm256_add_epi16(a, b); }
INLINE vi widen16(vi a) { return _mm256_madd_epi16(a, _mm256_set1_epi16(1)); }
INLINE vi signed16(vi codes, vi a) {
	const vi w = i_xor(codes, i_bytes(0x80));
	return product16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w));
}
#endif
INLINE vi dot2(const int wide, vi acc, vi codes0, vi a0, vi codes1, vi a1) {
	if (wide) return i_add(i_add(acc, widen16(signed16(codes0, a0))), widen16(signed16(codes1, a1)));
	return i_add(acc, widen16(add16(product16(codes0, a0), product16(codes1, a1))));
}
#endif
