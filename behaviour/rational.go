package behaviour

import "math"

// addInt returns a+b, and false if it overflows.
func addInt(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}

// subtractInt returns a-b, and false if it overflows.
func subtractInt(a, b int64) (int64, bool) {
	difference := a - b
	return difference, (difference < a) == (b > 0)
}

// multiplyInt returns a*b, and false if it overflows.
func multiplyInt(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	if a == math.MinInt64 || b == math.MinInt64 {
		return 0, false
	}
	product := a * b
	return product, product/b == a
}

// rational is a number over a positive denominator, in lowest terms.
type rational struct{ numerator, denominator int64 }

// newRational returns numerator/denominator in lowest terms, and false if the denominator is 0 or a sign change overflows.
func newRational(numerator, denominator int64) (rational, bool) {
	if denominator == 0 || numerator == math.MinInt64 || denominator == math.MinInt64 {
		return rational{}, false
	}
	if denominator < 0 {
		numerator, denominator = -numerator, -denominator
	}
	a, b := numerator, denominator
	if a < 0 {
		a = -a
	}
	for b != 0 {
		a, b = b, a%b
	}
	return rational{numerator / a, denominator / a}, true
}

// apply returns x operator y, and false if it overflows or y is a zero divisor.
func apply(operator byte, x, y rational) (rational, bool) {
	switch operator {
	case '*':
		return fraction(x.numerator, y.numerator, x.denominator, y.denominator)
	case '/':
		return fraction(x.numerator, y.denominator, x.denominator, y.numerator)
	}
	left, ok1 := multiplyInt(x.numerator, y.denominator)
	right, ok2 := multiplyInt(y.numerator, x.denominator)
	denominator, ok3 := multiplyInt(x.denominator, y.denominator)
	sum, ok4 := addInt(left, right)
	if operator == '-' {
		sum, ok4 = subtractInt(left, right)
	}
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return rational{}, false
	}
	return newRational(sum, denominator)
}

// fraction returns (a*b)/(c*d).
func fraction(a, b, c, d int64) (rational, bool) {
	numerator, ok1 := multiplyInt(a, b)
	denominator, ok2 := multiplyInt(c, d)
	if !ok1 || !ok2 {
		return rational{}, false
	}
	return newRational(numerator, denominator)
}
