// The quantisation of activations for NEON: see Quantise.

INLINE uint32x4_t sum_each(const int32x4_t x[4]) { // of the lanes of each
	return vreinterpretq_u32_s32(vpaddq_s32(vpaddq_s32(x[0], x[1]), vpaddq_s32(x[2], x[3])));
}

// best_factor chooses the factor for the numbers t of a block, and tells how much of t one step then is.
INLINE int16_t best_factor(const int16x8_t t[4], float *step) {
	const uint32x4_t lanes = {0, 1, 2, 3};
	int32x4_t across[4], square[4];
	UNROLL for (int c = 0; c < 4; c++) {
		across[c] = square[c] = vdupq_n_s32(0);
		UNROLL for (int i = 0; i < 4; i++) {
			const int16x8_t q = vqrdmulhq_n_s16(t[i], (int16_t)(128 - 2 * c));
			across[c] = vmlal_s16(vmlal_s16(across[c], vget_low_s16(t[i]), vget_low_s16(q)), vget_high_s16(t[i]), vget_high_s16(q));
			square[c] = vmlal_s16(vmlal_s16(square[c], vget_low_s16(q), vget_low_s16(q)), vget_high_s16(q), vget_high_s16(q));
		}
	}
	const float32x4_t a = vcvtq_f32_s32(vreinterpretq_s32_u32(sum_each(across)));
	const float32x4_t steps = vdivq_f32(a, vcvtq_f32_s32(vreinterpretq_s32_u32(sum_each(square))));
	const uint32x4_t share = vreinterpretq_u32_f32(vmulq_f32(a, steps)); // positive floats are in the order of their bits
	const uint32x4_t isMost = vceqq_u32(share, vdupq_n_u32(vmaxvq_u32(share)));
	const uint32_t best = vminvq_u32(vornq_u32(lanes, isMost));
	union {
		uint32_t bits;
		float value;
	} chosen = {vmaxvq_u32(vandq_u32(vreinterpretq_u32_f32(steps), vceqq_u32(lanes, vdupq_n_u32(best))))};
	*step = chosen.value;
	return (int16_t)(128 - 2 * best);
}

// quantiseRow: blocks of 32 of x.
EXPORT void quantiseRow(uint32_t *to, const float *from, i64 blocks, i64 zero, i64 halves, i64 minima) {
	for (; blocks > 0; blocks--, from += 32, to += 12) {
		float32x4_t v[8];
		uint32x4_t most = vdupq_n_u32(0);
		UNROLL for (int i = 0; i < 8; i++) {
			v[i] = vld1q_f32(from + 4 * i);
			most = vmaxq_u32(most, vandq_u32(vreinterpretq_u32_f32(v[i]), vdupq_n_u32(0x7fffffff)));
		}
		union {
			uint32_t bits;
			float value;
		} amax = {vmaxvq_u32(most)};
		if (amax.value < 0x1p-100f) {
			UNROLL for (int i = 0; i < 12; i += 4) vst1q_u32(to + i, vdupq_n_u32(0));
			continue;
		}
		const float32x4_t inverse = vdupq_n_f32(32512.0f / amax.value);
		int16x8_t t[4];
		// A NaN becomes 0 here and the least number elsewhere: its block's scale is no number in either case.
		UNROLL for (int i = 0; i < 4; i++) t[i] = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(vmulq_f32(v[2 * i], inverse))),
			vqmovn_s32(vcvtnq_s32_f32(vmulq_f32(v[2 * i + 1], inverse))));
		float step;
		const int16_t factor = best_factor(t, &step);
		const float d = amax.value * (1 / 32512.0f) * step;
		int32_t sums[2];
		UNROLL for (int h = 0; h < 2; h++) {
			const int8x16_t bytes = vcombine_s8(vqmovn_s16(vqrdmulhq_n_s16(t[2 * h], factor)), vqmovn_s16(vqrdmulhq_n_s16(t[2 * h + 1], factor)));
			vst1q_s8((int8_t *)(to + 4 + 4 * h), bytes);
			sums[h] = vaddlvq_s8(bytes);
		}
		if (halves == 1) sums[0] += sums[1], sums[1] = 0;
		float *words = (float *)to;
		words[0] = d;
		if (minima) {
			words[1] = d * (float)sums[0];
			words[2] = halves == 1 ? 0 : d * (float)sums[1];
		} else {
			to[1] = (uint32_t)(-(int32_t)zero * sums[0]);
			to[2] = (uint32_t)(-(int32_t)zero * sums[1]);
		}
		to[3] = 0;
	}
}
