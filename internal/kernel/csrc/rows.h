// Operations on rows: normalisation, rotation, activation, softmax. Where a reduction runs across the lanes, its order depends
// on the length of the row alone.

// dot sums a*b*c over n floats in four vectors; c may be null.
INLINE float dot(const float *a, const float *b, const float *c, i64 n) {
	vf sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
	i64 j = 0;
	for (; j + 4 * W <= n; j += 4 * W) {
		UNROLL for (int i = 0; i < 4; i++) {
			const vf x = v_load(a + j + i * W);
			sum[i] = v_fma(c ? v_mul(x, v_load(c + j + i * W)) : x, v_load(b + j + i * W), sum[i]);
		}
	}
	for (; j < n; j += W) {
		const vm mask = v_first(n - j);
		const vf x = v_load_masked(a + j, mask);
		sum[0] = v_fma(c ? v_mul(x, v_load_masked(c + j, mask)) : x, v_load_masked(b + j, mask), sum[0]);
	}
	return v_sum(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

INLINE void rms_norm_step(float *out, const float *x, const float *w, vf r, i64 j, int whole, vm mask) {
	v_put(out + j, v_mul(v_mul(v_get(x + j, whole, mask), r), v_get(w + j, whole, mask)), whole, mask);
}

// rmsNorm: see RMSNorm; rstd may be null.
EXPORT void rmsNorm(float *out, const float *x, const float *w, float *rstd, i64 rows, i64 d, float eps) {
	for (i64 i = 0; i < rows; i++, x += d, out += d) {
		const float r = 1 / s_sqrt(dot(x, x, 0, d) / (float)d + eps);
		if (rstd) rstd[i] = r;
		EACH_VECTOR(d, rms_norm_step, out, x, w, v_set(r));
	}
}

INLINE void rms_norm_backward_step(float *dx, float *dw, const float *dy, const float *x, const float *w, vf r, vf mean,
		i64 j, int whole, vm mask) {
	const vf value = v_get(x + j, whole, mask), gradient = v_get(dy + j, whole, mask);
	v_put(dw + j, v_fma(gradient, v_mul(value, r), v_get(dw + j, whole, mask)), whole, mask);
	const vf part = v_fnma(value, mean, v_mul(gradient, v_get(w + j, whole, mask)));
	v_put(dx + j, v_fma(r, part, v_get(dx + j, whole, mask)), whole, mask);
}

// rmsNormBackward: see RMSNormBackward.
EXPORT void rmsNormBackward(float *dx, float *dw, const float *dy, const float *x, const float *w, const float *rstd, i64 rows, i64 d) {
	for (i64 i = 0; i < rows; i++, dx += d, dy += d, x += d) {
		const float r = rstd[i], mean = dot(dy, x, w, d) / (float)d * r * r;
		EACH_VECTOR(d, rms_norm_backward_step, dx, dw, dy, x, w, v_set(r), v_set(mean));
	}
}

INLINE void rope_step(float *x, const float *angles, i64 half, vf sign, i64 j, int whole, vm mask) {
	const vf cosine = v_get(angles + j, whole, mask), sine = v_mul(sign, v_get(angles + half + j, whole, mask));
	const vf low = v_get(x + j, whole, mask), high = v_get(x + half + j, whole, mask);
	v_put(x + j, v_fnma(high, sine, v_mul(low, cosine)), whole, mask);
	v_put(x + half + j, v_fma(low, sine, v_mul(high, cosine)), whole, mask);
}

// rope: see RoPE; sign is -1 for the inverse.
EXPORT void rope(float *x, i64 ld, const int32_t *positions, const float *table, i64 rows, i64 heads, i64 headSize, float sign) {
	for (i64 i = 0; i < rows; i++, x += ld) {
		for (i64 h = 0; h < heads; h++)
			EACH_VECTOR(headSize / 2, rope_step, x + h * headSize, table + positions[i] * headSize, headSize / 2, v_set(sign));
	}
}

INLINE void swi_glu_step(float *out, const float *gate, const float *up, i64 j, int whole, vm mask) {
	const vf x = v_get(gate + j, whole, mask);
	const vf silu = v_div(x, v_add(v_set(1), v_exp(v_neg(x))));
	v_put(out + j, v_mul(silu, v_get(up + j, whole, mask)), whole, mask);
}

// swiGLU: see SwiGLU.
EXPORT void swiGLU(float *out, const float *gateUp, i64 rows, i64 f) {
	for (i64 i = 0; i < rows; i++, out += f, gateUp += 2 * f) EACH_VECTOR(f, swi_glu_step, out, gateUp, gateUp + f);
}

INLINE void swi_glu_backward_step(float *dgate, float *dup, const float *dout, const float *gate, const float *up,
		i64 j, int whole, vm mask) {
	const vf one = v_set(1), x = v_get(gate + j, whole, mask), d = v_get(dout + j, whole, mask);
	const vf s = v_div(one, v_add(one, v_exp(v_neg(x))));
	const vf slope = v_fma(x, v_sub(one, s), one);
	v_put(dgate + j, v_mul(v_mul(v_mul(d, v_get(up + j, whole, mask)), s), slope), whole, mask);
	v_put(dup + j, v_mul(d, v_mul(x, s)), whole, mask);
}

// swiGLUBackward: see SwiGLUBackward.
EXPORT void swiGLUBackward(float *dgateUp, const float *dout, const float *gateUp, i64 rows, i64 f) {
	for (i64 i = 0; i < rows; i++, dgateUp += 2 * f, dout += f, gateUp += 2 * f)
		EACH_VECTOR(f, swi_glu_backward_step, dgateUp, dgateUp + f, dout, gateUp, gateUp + f);
}

INLINE void maximum_step(vf *most, const float *logits, vf scale, i64 j, int whole, vm mask) {
	const vf z = v_mul(v_get(logits + j, whole, mask), scale);
	*most = v_max(whole ? z : v_select(mask, z, *most), *most);
}

INLINE void statistics_step(vf *total, vf *product, const float *logits, vf scale, vf most, i64 j, int whole, vm mask) {
	const vf z = v_mul(v_get(logits + j, whole, mask), scale);
	vf e = v_exp(v_sub(z, most));
	if (!whole) e = v_select(mask, e, v_zero());
	*total = v_add(*total, e);
	*product = v_fma(e, z, *product);
}

// softmaxStats: see SoftmaxStats; state holds what came before, or (-inf, 0, 0).
EXPORT void softmaxStats(float *state, const float *logits, i64 ld, i64 rows, i64 n, float invT) {
	for (i64 i = 0; i < rows; i++, state += 4, logits += ld) {
		vf most = v_set(state[0]), total = v_zero(), product = v_zero();
		EACH_VECTOR(n, maximum_step, &most, logits, v_set(invT));
		const float highest = v_maximum(most);
		EACH_VECTOR(n, statistics_step, &total, &product, logits, v_set(invT), v_set(highest));
		const float before = s_first(v_exp(v_set(state[0] - highest)));
		state[0] = highest;
		state[1] = state[1] * before + v_sum(total);
		state[2] = state[2] * before + v_sum(product);
	}
}

INLINE void softmax_step(float *p, const float *logits, vf scale, vf lse, i64 j, int whole, vm mask) {
	v_put(p + j, v_exp(v_sub(v_mul(v_get(logits + j, whole, mask), scale), lse)), whole, mask);
}

// softmax: see Softmax.
EXPORT void softmax(float *p, const float *logits, i64 ld, i64 rows, i64 n, float invT, const float *lse) {
	for (i64 i = 0; i < rows; i++, p += ld, logits += ld) EACH_VECTOR(n, softmax_step, p, logits, v_set(invT), v_set(lse[i]));
}
