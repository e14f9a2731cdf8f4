// How a panel holds each format: see quantformat.go, whose formulas these are.
//
// Blocks that share bytes make a chunk, and are read together. code gives 4 values of k of one block of a chunk for one vector of rows, scales_at
// the scales (and minima) of one half of a block. Shifts move lanes of 32 bits, so what comes from the byte beside is masked off.

enum { Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4, IQ4_XS, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K };

// shape is what the compiler knows of a format.
typedef struct {
	int blocks, chunk, unit, halves, minima;
	int wide;    // codes may exceed 63, and the zero is 128
	int nibbles; // groups g and g+4 share bytes
} shape;

static const shape shapes[] = {
	[Q8_0] = {2, 1, 1088, 1, 0, 1, 0}, [Q4_0] = {2, 1, 576, 1, 0, 0, 1}, [Q4_1] = {2, 1, 640, 1, 1, 0, 1}, [Q5_0] = {2, 1, 704, 1, 0, 0, 1},
	[Q5_1] = {2, 1, 768, 1, 1, 0, 1}, [IQ4_NL] = {2, 1, 576, 1, 0, 1, 1}, [MXFP4] = {2, 1, 544, 1, 0, 0, 1}, [IQ4_XS] = {8, 1, 2176, 1, 0, 1, 1},
	[Q2_K] = {8, 4, 1344, 2, 1, 0, 0}, [Q3_K] = {8, 4, 1792, 2, 0, 0, 0}, [Q4_K] = {8, 2, 2304, 1, 1, 0, 0}, [Q5_K] = {8, 2, 2816, 1, 1, 0, 0},
	[Q6_K] = {8, 4, 3392, 2, 0, 0, 0},
};

static const uint8_t nonlinear[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
static const uint8_t e2m1[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

// zero_of is what the code of the number zero is; with minima nothing is taken off.
INLINE int zero_of(const int f) {
	switch (f) {
	case Q8_0: case IQ4_NL: case IQ4_XS: return 128;
	case Q4_0: return 8;
	case Q5_0: return 16;
	case MXFP4: return 12;
	case Q3_K: return 4;
	case Q6_K: return 32;
	default: return 0;
	}
}

#if defined(LEVEL_NEON)
#define TOP_BITS 1 // bytes shift by themselves: the upper n bits of each need no mask
INLINE vi top_bits(vi x, const int n) { return vshlq_u8(x, vdupq_n_s8((int8_t)(n - 8))); }
#else
#define TOP_BITS 0
INLINE vi top_bits(vi x, const int n) { return i_right(x, 8 - n); }
#endif

// nibbles_at: the lower nibbles belong to groups 0 to 3, the upper ones to the others.
INLINE vi nibbles_at(const uint8_t *codes, const int g) {
	const vi x = i_load(codes + GROUP * (g % 4));
	if (TOP_BITS && g >= 4) return top_bits(x, 4);
	return i_and(g < 4 ? x : i_right(x, 4), i_bytes(15));
}

// bits_at: bits from number n of each byte, as many as mask has.
INLINE vi bits_at(const uint8_t *bits, i64 n, const int mask) {
	if (TOP_BITS && mask == 15 && n == 4) return top_bits(i_load(bits), 4);
	if (TOP_BITS && mask == 3 && n == 6) return top_bits(i_load(bits), 2);
	return i_and(i_right(i_load(bits), n), i_bytes(mask));
}

// moved brings bit number n to where mask is.
INLINE vi moved(vi x, const int n, const int to, const int mask) {
	return i_and(n < to ? i_left(x, to - n) : n > to ? i_right(x, n - to) : x, i_bytes(mask));
}

INLINE vi code(const int f, const uint8_t *unit, i64 chunk, const int o, const int g, const int v) {
	const uint8_t *p = unit + 4 * W * v;
	switch (f) {
	case Q8_0: return i_load(p + 64 + 8 * GROUP * chunk + GROUP * g);
	case Q4_0: return nibbles_at(p + 64 + 4 * GROUP * chunk, g);
	case Q4_1: return nibbles_at(p + 128 + 4 * GROUP * chunk, g);
	case Q5_0: p += 64 + 5 * GROUP * chunk; return i_or(nibbles_at(p + GROUP, g), moved(i_load(p), g, 4, 16));
	case Q5_1: p += 128 + 5 * GROUP * chunk; return i_or(nibbles_at(p + GROUP, g), moved(i_load(p), g, 4, 16));
	case IQ4_NL: return i_table(nonlinear, nibbles_at(p + 64 + 4 * GROUP * chunk, g));
	case MXFP4: return i_table(e2m1, nibbles_at(p + 32 + 4 * GROUP * chunk, g));
	case IQ4_XS: return i_table(nonlinear, nibbles_at(p + 128 + 4 * GROUP * chunk, g));
	case Q2_K: return bits_at(p + 320 + 8 * GROUP * chunk + GROUP * g, 2 * o, 3);
	case Q3_K: return i_or(bits_at(p + 768 + 8 * GROUP * chunk + GROUP * g, 2 * o, 3), moved(i_right(i_load(p + 256 + GROUP * g), 4 * chunk), o, 2, 4));
	case Q4_K: return bits_at(p + 256 + 8 * GROUP * chunk + GROUP * g, 4 * o, 15);
	case Q5_K: return i_or(bits_at(p + 768 + 8 * GROUP * chunk + GROUP * g, 4 * o, 15), moved(i_right(i_load(p + 256 + GROUP * g), 2 * chunk), o, 4, 16));
	default: // Q6_K
		p += 320 + 24 * GROUP * chunk + 3 * GROUP * g;
		return i_or(bits_at(p + GROUP * (o % 2), o / 2 * 4, 15), moved(i_load(p + 2 * GROUP), 2 * o, 4, 0x30));
	}
}

// scales_at writes the scales of half h of block b, and the minima if the format has them, for vector v of the rows.
INLINE void scales_at(const int f, const uint8_t *unit, i64 b, const int h, const int v, vf *scale, vf *minimum) {
	const uint8_t *halves = unit + 2 * W * v, *bytes = unit + W * v;
	vi low, high;
	switch (f) {
	case Q8_0: case Q4_0: case Q5_0: case IQ4_NL:
		*scale = v_half(halves + 32 * b);
		return;
	case Q4_1: case Q5_1:
		*scale = v_half(halves + 32 * b);
		*minimum = v_half(halves + 64 + 32 * b);
		return;
	case MXFP4: { // half of 2^(e-127): the float with exponent field e-1, or one of two denormals
		const vi e = i_lanes(bytes + 16 * b);
		*scale = v_bits(i_exponent(e));
		return;
	}
	case IQ4_XS:
		low = i_and(i_right(i_lanes(bytes + 32 + 16 * (b / 2)), 4 * (b % 2)), i_set(15));
		high = i_and(i_right(i_lanes(bytes + 96 + 16 * (b / 4)), 2 * (b % 4)), i_set(3));
		*scale = v_mul(v_half(halves), v_from(i_sub(i_or(low, i_left(high, 4)), i_set(32))));
		return;
	case Q2_K:
		low = i_lanes(bytes + 64 + 16 * (2 * b + h));
		*scale = v_mul(v_half(halves), v_from(i_and(low, i_set(15))));
		*minimum = v_neg(v_mul(v_half(halves + 32), v_from(i_right(low, 4))));
		return;
	case Q3_K:
		low = i_and(i_right(i_lanes(bytes + 32 + 16 * b), 4 * h), i_set(15));
		high = i_and(i_right(i_lanes(bytes + 160 + 16 * (b / 2)), 4 * (b % 2) + 2 * h), i_set(3));
		*scale = v_mul(v_half(halves), v_from(i_sub(i_or(low, i_left(high, 4)), i_set(32))));
		return;
	case Q4_K: case Q5_K:
		low = i_lanes(bytes + 64 + 16 * b);
		high = i_right(i_lanes(bytes + 192 + 16 * (b / 2)), 4 * (b % 2));
		*scale = v_mul(v_half(halves), v_from(i_or(i_and(low, i_set(15)), i_left(i_and(high, i_set(3)), 4))));
		*minimum = v_neg(v_mul(v_half(halves + 32), v_from(i_or(i_right(low, 4), i_left(i_and(high, i_set(12)), 2)))));
		return;
	default: // Q6_K
		*scale = v_mul(v_half(halves), v_from(i_signed(bytes + 32 + 16 * (2 * b + h))));
	}
}
