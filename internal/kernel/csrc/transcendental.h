// One exponential and one logarithm, the same for every operation of a level.

#define INFINITE __builtin_inff()

// v_exp is within about 1 ulp. Below -87.33, where the result would be subnormal, it is 0; above 88.72 it is infinite; NaN stays.
//
// exp(x) = 2^n exp(r), n = round(x / ln 2), ln 2 in two parts of which n times the first is exact (Cody & Waite 1980,
// chapter 6); exp(r) = 1 + r + r^2 p(r) with p of degree 4 through the Chebyshev nodes of |r| <= ln(2)/2: error 1e-8.
INLINE vf v_exp(vf x) {
	const vf lowest = v_set(-87.33654f), highest = v_set(88.72284f), shift = v_set(12582912.0f); // 1.5 * 2^23: n is in the low bits
	const vf shifted = v_fma(x, v_set(1.44269504f), shift), n = v_sub(shifted, shift);
	vf r = v_fnma(n, v_set(0.693359375f), x);
	r = v_fnma(n, v_set(-2.12194440e-4f), r);
	vf p = v_fma(v_set(0.00139262679f), r, v_set(0.00836324692f));
	p = v_fma(p, r, v_set(0.0416665524f));
	p = v_fma(p, r, v_set(0.166665763f));
	p = v_fma(p, r, v_set(0.5f));
	p = v_fma(v_mul(r, r), p, r);
	p = v_shift_exponent(v_add(p, v_set(1)), shifted);
	p = v_select(v_not_less_equal(x, highest), v_add(x, v_set(INFINITE)), p);
	return v_select(v_less(x, lowest), v_zero(), p);
}

// v_log is within about 1 ulp for normal positive x.
//
// x = 2^e m, m in [sqrt(1/2), sqrt(2)); log(m) = f - f^2/2 + f^3 q(f), f = m - 1, with q of degree 8 through the Chebyshev nodes.
INLINE vf v_log(vf x) {
	vf e;
	const vf f = v_sub(v_split(x, &e), v_set(1)), square = v_mul(f, f);
	vf q = v_fma(v_set(0.0697161108f), f, v_set(-0.114797339f));
	q = v_fma(q, f, v_set(0.116854198f));
	q = v_fma(q, f, v_set(-0.124256872f));
	q = v_fma(q, f, v_set(0.142490581f));
	q = v_fma(q, f, v_set(-0.166678026f));
	q = v_fma(q, f, v_set(0.200007156f));
	q = v_fma(q, f, v_set(-0.24999997f));
	q = v_fma(q, f, v_set(0.333333313f));
	vf y = v_mul(v_mul(f, square), q);
	y = v_fma(e, v_set(-2.12194440e-4f), y);
	y = v_fnma(square, v_set(0.5f), y);
	return v_fma(e, v_set(0.693359375f), v_add(f, y));
}
