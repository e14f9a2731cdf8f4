// Operations on whole vectors: sums, the optimiser.

INLINE void add_scaled_step(float *y, const float *x, vf a, i64 j, int whole, vm mask) {
	v_put(y + j, v_fma(a, v_get(x + j, whole, mask), v_get(y + j, whole, mask)), whole, mask);
}

// addScaled: see AddScaled.
EXPORT void addScaled(float *y, const float *x, i64 n, float a) { EACH_VECTOR(n, add_scaled_step, y, x, v_set(a)); }

INLINE void add_step(float *out, const float *a, const float *b, i64 j, int whole, vm mask) {
	v_put(out + j, v_add(v_get(a + j, whole, mask), v_get(b + j, whole, mask)), whole, mask);
}

// add: see Add.
EXPORT void add(float *out, const float *a, const float *b, i64 n) { EACH_VECTOR(n, add_step, out, a, b); }

// sumSquares: see SumSquares, which fixes the order of the sum for all levels: eight lanes, then halves.
#if defined(LEVEL_NEON)
EXPORT void sumSquares(double *out, const float *x, i64 n) {
	float64x2_t lanes[4];
	UNROLL for (int i = 0; i < 4; i++) lanes[i] = vdupq_n_f64(0);
	for (; n > 0; n -= 8, x += 8) {
		UNROLL for (int half = 0; half < 2; half++) {
			const vf v = n >= 8 ? v_load(x + half * W) : v_load_masked(x + half * W, v_first(n - half * W));
			const float64x2_t a = vcvt_f64_f32(vget_low_f32(v)), b = vcvt_high_f64_f32(v);
			lanes[2 * half] = vfmaq_f64(lanes[2 * half], a, a);
			lanes[2 * half + 1] = vfmaq_f64(lanes[2 * half + 1], b, b);
		}
	}
	const float64x2_t two = vaddq_f64(vaddq_f64(lanes[0], lanes[2]), vaddq_f64(lanes[1], lanes[3]));
	*out = two[0] + two[1];
}
#else
EXPORT void sumSquares(double *out, const float *x, i64 n) {
	__m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
	for (; n > 0; n -= 8, x += 8) {
		__m256 v;
		if (n >= 8) {
			v = _mm256_loadu_ps(x);
		} else {
			const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
			v = _mm256_maskload_ps(x, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lanes));
		}
		const __m256d a = _mm256_cvtps_pd(_mm256_castps256_ps128(v)), b = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
		low = _mm256_fmadd_pd(a, a, low);
		high = _mm256_fmadd_pd(b, b, high);
	}
	const __m256d four = _mm256_add_pd(low, high);
	const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
	_mm_store_sd(out, _mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
#endif

// The fields of AdamWStep in order.
enum { LEARNING_RATE, BETA1, BETA2, EPSILON, WEIGHT_DECAY, GRAD_SCALE, CORRECTION1, CORRECTION2 };

INLINE void adam_w_step(float *w, float *m, float *v, const float *dw, const float *s, i64 j, int whole, vm mask) {
	const vf gradient = v_mul(v_get(dw + j, whole, mask), v_set(s[GRAD_SCALE]));
	const vf first = v_fma(v_set(s[BETA1]), v_get(m + j, whole, mask), v_mul(v_set(1 - s[BETA1]), gradient));
	const vf second = v_fma(v_set(s[BETA2]), v_get(v + j, whole, mask), v_mul(v_set(1 - s[BETA2]), v_mul(gradient, gradient)));
	const vf root = v_sqrt(v_mul(second, v_set(1 / s[CORRECTION2])));
	const vf step = v_div(v_mul(first, v_set(1 / s[CORRECTION1])), v_add(root, v_set(s[EPSILON])));
	const vf weight = v_get(w + j, whole, mask);
	v_put(m + j, first, whole, mask);
	v_put(v + j, second, whole, mask);
	v_put(w + j, v_fnma(v_set(s[LEARNING_RATE]), v_fma(v_set(s[WEIGHT_DECAY]), weight, step), weight), whole, mask);
}

// adamW: see AdamW.
EXPORT void adamW(float *w, float *m, float *v, const float *dw, const float *step, i64 n) {
	const float s[8] = {step[0], step[1], step[2], step[3], step[4], step[5], step[6], step[7]};
	EACH_VECTOR(n, adam_w_step, w, m, v, dw, s);
}
