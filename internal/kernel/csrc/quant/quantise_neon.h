// The quantisation of activations for NEON: see Quantise.

// quantiseRows: blocks of 32 of each row of x; the row of dst is filled up with zeros to `words` words.
EXPORT void quantiseRows(uint32_t *dst, i64 ldDst, const float *x, i64 ldX, i64 rows, i64 blocks, i64 words, i64 zero, i64 halves, i64 minima) {
	for (; rows > 0; rows--, dst += ldDst, x += ldX) {
		const float *from = x;
		uint32_t *to = dst;
		for (i64 b = 0; b < blocks; b++, from += 32, to += 12) {
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
			const float d = amax.value / 127.0f;
			const float32x4_t inverse = vdupq_n_f32(127.0f / amax.value);
			int32_t sums[2];
			UNROLL for (int h = 0; h < 2; h++) {
				int32x4_t n[4];
				UNROLL for (int i = 0; i < 4; i++) {
					const float32x4_t scaled = vmulq_f32(v[4 * h + i], inverse);
					// A NaN becomes 0 here and -128 elsewhere: its block's scale is no number in either case.
					n[i] = vcvtnq_s32_f32(scaled);
				}
				const int8x16_t bytes = vcombine_s8(vqmovn_s16(vcombine_s16(vqmovn_s32(n[0]), vqmovn_s32(n[1]))),
					vqmovn_s16(vcombine_s16(vqmovn_s32(n[2]), vqmovn_s32(n[3]))));
				vst1q_s8((int8_t *)(to + 4 + 4 * h), bytes);
				sums[h] = vaddlvq_s8(bytes);
			}
			if (halves == 1) sums[0] += sums[1], sums[1] = 0;
			float *words_ = (float *)to;
			words_[0] = d;
			if (minima) {
				words_[1] = d * (float)sums[0];
				words_[2] = halves == 1 ? 0 : d * (float)sums[1];
			} else {
				to[1] = (uint32_t)(-(int32_t)zero * sums[0]);
				to[2] = (uint32_t)(-(int32_t)zero * sums[1]);
			}
			to[3] = 0;
		}
		for (; to < dst + words; to += 4) vst1q_u32(to, vdupq_n_u32(0));
	}
}
