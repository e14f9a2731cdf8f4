package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxBits bounds the size of an integer: Python refuses to print one of more than 4,300 digits.
const maxBits = 1 << 14

// integer returns v as an integer, if it is one (a bool is).
func integer(v Value) (*big.Int, bool) {
	switch v := v.(type) {
	case Bool:
		if v {
			return big.NewInt(1), true
		}
		return new(big.Int), true
	case Int:
		return big.NewInt(int64(v)), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

// smallInteger returns v as an int64, if it is an integer that fits.
func smallInteger(v Value) (int64, bool) {
	switch v := v.(type) {
	case Bool:
		if v {
			return 1, true
		}
		return 0, true
	case Int:
		return int64(v), true
	}
	return 0, false
}

// normal returns i as an Int if it fits.
func normal(i *big.Int) (Value, error) {
	if i.IsInt64() {
		return Int(i.Int64()), nil
	}
	if i.BitLen() > maxBits {
		return nil, limitError("an integer of %d bits, at most %d", i.BitLen(), maxBits)
	}
	return i, nil
}

// float returns a number as a float; ok is false for what is not a number.
func float(v Value) (f float64, ok bool, err error) {
	switch v := v.(type) {
	case Float:
		return float64(v), true, nil
	case Bool:
		if v {
			return 1, true, nil
		}
		return 0, true, nil
	case Int:
		return float64(v), true, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			return 0, true, raise("OverflowError", "int too large to convert to float")
		}
		return f, true, nil
	}
	return 0, false, nil
}

// arithmetic is a binary operator on two numbers; ok is false if one of them is no number.
func arithmetic(op string, a, b Value) (result Value, ok bool, err error) {
	x, xInt := integer(a)
	y, yInt := integer(b)
	if xInt && yInt {
		result, err = integerArithmetic(op, x, y)
		return result, true, err
	}
	_, aFloat := a.(Float)
	_, bFloat := b.(Float)
	if !(xInt || aFloat) || !(yInt || bFloat) {
		return nil, false, nil
	}
	f, _, err := float(a)
	if err != nil {
		return nil, true, err
	}
	g, _, err := float(b)
	if err != nil {
		return nil, true, err
	}
	result, err = floatArithmetic(op, f, g)
	return result, true, err
}

func integerArithmetic(op string, x, y *big.Int) (Value, error) {
	z := new(big.Int)
	switch op {
	case "+":
		return normal(z.Add(x, y))
	case "-":
		return normal(z.Sub(x, y))
	case "*":
		return normal(z.Mul(x, y))
	case "**":
		return integerPower(x, y)
	}
	if y.Sign() == 0 {
		if op == "/" {
			return nil, raise("ZeroDivisionError", "division by zero")
		}
		return nil, raise("ZeroDivisionError", "integer division or modulo by zero")
	}
	switch op {
	case "/":
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			return nil, raise("OverflowError", "integer division result too large for a float")
		}
		return Float(f), nil
	case "//":
		quotient, _ := floorDivision(x, y)
		return normal(quotient)
	default: // %
		_, rest := floorDivision(x, y)
		return normal(rest)
	}
}

// floorDivision rounds towards minus infinity; the rest has the sign of y.
func floorDivision(x, y *big.Int) (quotient, rest *big.Int) {
	quotient, rest = new(big.Int).QuoRem(x, y, new(big.Int))
	if rest.Sign() != 0 && rest.Sign() != y.Sign() {
		quotient.Sub(quotient, big.NewInt(1))
		rest.Add(rest, y)
	}
	return quotient, rest
}

func integerPower(x, y *big.Int) (Value, error) {
	if y.Sign() < 0 {
		f, _, err := float(x)
		if err != nil {
			return nil, err
		}
		g, _, err := float(y)
		if err != nil {
			return nil, err
		}
		return floatArithmetic("**", f, g)
	}
	// |x| >= 2 needs at least (bits-1) * y bits.
	if bits := x.BitLen(); bits > 1 && (!y.IsInt64() || y.Int64() > maxBits || int64(bits-1)*y.Int64() > maxBits) {
		return nil, limitError("a power too large: at most %d bits", maxBits)
	}
	if x.BitLen() <= 1 && y.Sign() > 0 { // -1, 0 or 1: only the parity of y matters
		y = big.NewInt(2 - int64(y.Bit(0)))
	}
	return normal(new(big.Int).Exp(x, y, nil))
}

func floatArithmetic(op string, f, g float64) (Value, error) {
	switch op {
	case "+":
		return Float(f + g), nil
	case "-":
		return Float(f - g), nil
	case "*":
		return Float(f * g), nil
	case "**":
		return floatPower(f, g)
	}
	if g == 0 {
		switch op {
		case "/":
			return nil, raise("ZeroDivisionError", "float division by zero")
		case "//":
			return nil, raise("ZeroDivisionError", "float floor division by zero")
		}
		return nil, raise("ZeroDivisionError", "float modulo")
	}
	if op == "/" {
		return Float(f / g), nil
	}
	quotient, rest := floatDivision(f, g)
	if op == "//" {
		return Float(quotient), nil
	}
	return Float(rest), nil
}

// floatDivision is Python's divmod of floats.
func floatDivision(f, g float64) (quotient, rest float64) {
	rest = math.Mod(f, g)
	div := (f - rest) / g
	if rest != 0 {
		if (g < 0) != (rest < 0) {
			rest += g
			div--
		}
	} else {
		rest = math.Copysign(0, g)
	}
	if div == 0 {
		return math.Copysign(0, f/g), rest
	}
	quotient = math.Floor(div)
	if div-quotient > 0.5 {
		quotient++
	}
	return quotient, rest
}

func floatPower(f, g float64) (Value, error) {
	if f == 0 && g < 0 {
		return nil, raise("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	}
	if f < 0 && g != math.Trunc(g) && !math.IsInf(f, 0) && !math.IsInf(g, 0) && !math.IsNaN(g) {
		return nil, limitError("complex numbers are not supported")
	}
	result := math.Pow(f, g)
	if math.IsInf(result, 0) && !math.IsInf(f, 0) && !math.IsInf(g, 0) {
		return nil, raise("OverflowError", "(34, 'Numerical result out of range')")
	}
	return Float(result), nil
}

// negate is the unary minus.
func negate(v Value) (Value, error) {
	if f, ok := v.(Float); ok {
		return -f, nil
	}
	if i, ok := integer(v); ok {
		return normal(new(big.Int).Neg(i))
	}
	if u, ok := v.(*undefinedValue); ok {
		return nil, u.raise()
	}
	return nil, typeError("bad operand type for unary -: %s", quote(typeName(v)))
}

// compareNumbers orders two numbers; ok is false if one of them is none, and ordered is false if one is not a number (NaN).
func compareNumbers(a, b Value) (order int, ordered, ok bool) {
	x, xInt := integer(a)
	y, yInt := integer(b)
	f, aFloat := a.(Float)
	g, bFloat := b.(Float)
	switch {
	case xInt && yInt:
		return x.Cmp(y), true, true
	case !(xInt || aFloat) || !(yInt || bFloat):
		return 0, false, false
	case aFloat && math.IsNaN(float64(f)) || bFloat && math.IsNaN(float64(g)):
		return 0, false, true
	case aFloat && bFloat:
		return big.NewFloat(float64(f)).Cmp(big.NewFloat(float64(g))), true, true
	case aFloat:
		return big.NewFloat(float64(f)).Cmp(new(big.Float).SetInt(y)), true, true
	}
	return new(big.Float).SetInt(x).Cmp(big.NewFloat(float64(g))), true, true
}

// formatFloat is Python's repr of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16.
func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f == 0 || math.Abs(f) >= 1e-4 && math.Abs(f) < 1e16:
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// formatInteger is Python's str of an integer.
func formatInteger(v Value) (string, error) {
	switch v := v.(type) {
	case Int:
		return strconv.FormatInt(int64(v), 10), nil
	case *big.Int:
		text := v.String()
		if len(strings.TrimPrefix(text, "-")) > 4300 {
			return "", valueError("Exceeds the limit (4300 digits) for integer string conversion")
		}
		return text, nil
	}
	return "", typeError("not an integer")
}
