// How a panel holds each format: see quantformat.go, whose formulas these are.
//
// group gives the codes of 4 values of k for one vector of rows, scales their scales (and minima) for one half of a block.
// Shifts of whole vectors move pairs of bytes, so what comes from the byte beside is masked off.

enum { Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4, IQ4_XS, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K };

// shape is what the compiler knows of a format.
typedef struct {
	int blocks, unit, halves, minima;
	int wide; // codes may exceed 63, and the zero is 128
} shape;

static const shape shapes[] = {
	[Q8_0] = {2, 1088, 1, 0, 1}, [Q4_0] = {2, 576, 1, 0, 0}, [Q4_1] = {2, 640, 1, 1, 0}, [Q5_0] = {2, 704, 1, 0, 0},
	[Q5_1] = {2, 768, 1, 1, 0}, [IQ4_NL] = {2, 576, 1, 0, 1}, [MXFP4] = {2, 544, 1, 0, 0}, [IQ4_XS] = {8, 2176, 1, 0, 1},
	[Q2_K] = {8, 1344, 2, 1, 0}, [Q3_K] = {8, 1792, 2, 0, 0}, [Q4_K] = {8, 2304, 1, 1, 0}, [Q5_K] = {8, 2816, 1, 1, 0},
	[Q6_K] = {8, 3392, 2, 0, 0},
};

static const uint8_t nonlinear[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
static const uint8_t e2m1[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

// halves_at: nibbles of which the first half of a block has the lower ones.
INLINE vi halves_at(const uint8_t *codes, i64 b, const int g) {
	const vi x = i_load(codes + 4 * GROUP * b + GROUP * (g % 4));
	return i_and(g < 4 ? x : i_right(x, 4), i_bytes(15));
}

// bit_at: bit number n of each byte, as a number with the value 1 << up.
INLINE vi bit_at(const uint8_t *bits, i64 n, const int up) {
	return i_and(i_left(i_right(i_load(bits), n), up), i_bytes(1 << up));
}

INLINE vi code_group(const int f, const uint8_t *unit, i64 b, const int g, const int v) {
	const uint8_t *p = unit + 4 * W * v;
	switch (f) {
	case Q8_0: return i_load(p + 64 + 8 * GROUP * b + GROUP * g);
	case Q4_0: return halves_at(p + 64, b, g);
	case Q4_1: return halves_at(p + 128, b, g);
	case Q5_0: return i_or(halves_at(p + 64, b, g), bit_at(p + 576 + GROUP * b, g, 4));
	case Q5_1: return i_or(halves_at(p + 128, b, g), bit_at(p + 640 + GROUP * b, g, 4));
	case IQ4_NL: return i_table(nonlinear, halves_at(p + 64, b, g));
	case MXFP4: return i_table(e2m1, halves_at(p + 32, b, g));
	case IQ4_XS: return i_table(nonlinear, halves_at(p + 128, b, g));
	case Q2_K: return i_and(i_right(i_load(p + 320 + 8 * GROUP * (b / 4) + GROUP * g), 2 * (b % 4)), i_bytes(3));
	case Q3_K:
		return i_or(i_and(i_right(i_load(p + 768 + 8 * GROUP * (b / 4) + GROUP * g), 2 * (b % 4)), i_bytes(3)), bit_at(p + 256 + GROUP * g, b, 2));
	case Q4_K: return i_and(i_right(i_load(p + 256 + 8 * GROUP * (b / 2) + GROUP * g), 4 * (b % 2)), i_bytes(15));
	case Q5_K:
		return i_or(i_and(i_right(i_load(p + 768 + 8 * GROUP * (b / 2) + GROUP * g), 4 * (b % 2)), i_bytes(15)), bit_at(p + 256 + GROUP * g, b, 4));
	default: // Q6_K
		return i_or(i_and(i_right(i_load(p + 320 + 16 * GROUP * (b / 4) + 8 * GROUP * (b % 2) + GROUP * g), b % 4 / 2 * 4), i_bytes(15)),
			i_left(i_and(i_right(i_load(p + 2368 + 8 * GROUP * (b / 4) + GROUP * g), 2 * (b % 4)), i_bytes(3)), 4));
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
		low = i_and(i_right32(i_lanes(bytes + 32 + 16 * (b / 2)), 4 * (b % 2)), i_set(15));
		high = i_and(i_right32(i_lanes(bytes + 96 + 16 * (b / 4)), 2 * (b % 4)), i_set(3));
		*scale = v_mul(v_half(halves), v_from(i_sub(i_or(low, i_left32(high, 4)), i_set(32))));
		return;
	case Q2_K:
		low = i_lanes(bytes + 64 + 16 * (2 * b + h));
		*scale = v_mul(v_half(halves), v_from(i_and(low, i_set(15))));
		*minimum = v_neg(v_mul(v_half(halves + 32), v_from(i_right32(low, 4))));
		return;
	case Q3_K:
		low = i_and(i_right32(i_lanes(bytes + 32 + 16 * b), 4 * h), i_set(15));
		high = i_and(i_right32(i_lanes(bytes + 160 + 16 * (b / 2)), 4 * (b % 2) + 2 * h), i_set(3));
		*scale = v_mul(v_half(halves), v_from(i_sub(i_or(low, i_left32(high, 4)), i_set(32))));
		return;
	case Q4_K: case Q5_K:
		low = i_lanes(bytes + 64 + 16 * b);
		high = i_right32(i_lanes(bytes + 192 + 16 * (b / 2)), 4 * (b % 2));
		*scale = v_mul(v_half(halves), v_from(i_or(i_and(low, i_set(15)), i_left32(i_and(high, i_set(3)), 4))));
		*minimum = v_neg(v_mul(v_half(halves + 32), v_from(i_or(i_right32(low, 4), i_left32(i_and(high, i_set(12)), 2)))));
		return;
	default: // Q6_K
		*scale = v_mul(v_half(halves), v_from(i_signed(bytes + 32 + 16 * (2 * b + h))));
	}
}
