package verify

import "strings"

// compareOutput compares standard outputs line by line: without the spaces around the whole and around each line, the lines
// must be as many, and equal as texts or as decimal numbers, item by item. It returns the first line that differs, from 1.
//
// Source: the comparison of LiveCodeBench's grader of standard output (lcb_runner, evaluation/testing_util.py).
func compareOutput(want, got string) (line int, wantLine, gotLine string, same bool) {
	a, b := outputLines(want), outputLines(got)
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if i >= len(a) || i >= len(b) || x != y && !sameDecimals(x, y) {
			return i + 1, x, y, false
		}
	}
	return 0, "", "", true
}

func outputLines(s string) []string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return lines
}

// sameDecimals compares lines of numbers exactly: 1.0 is 1 and 1e2 is 100, but 0.1 is not 0.10001. NaN is equal to nothing.
func sameDecimals(x, y string) bool {
	a, b := strings.Fields(x), strings.Fields(y)
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	for i := range a {
		m, ok := readDecimal(a[i])
		if !ok {
			return false
		}
		n, ok := readDecimal(b[i])
		if !ok || m != n {
			return false
		}
	}
	return true
}

// decimalNumber is digits times 10^exponent; zero has no digits, and infinity the digits "inf".
type decimalNumber struct {
	negative bool
	digits   string // without zeros at either end
	exponent int
}

// readDecimal reads a number as Python's decimal module does, but for NaN, which compares with nothing.
func readDecimal(s string) (decimalNumber, bool) {
	s = strings.ReplaceAll(s, "_", "")
	n := decimalNumber{}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n.negative = s[0] == '-'
		s = s[1:]
	}
	if low := strings.ToLower(s); low == "inf" || low == "infinity" {
		n.digits = "inf"
		return n, true
	}
	mantissa, tail := s, ""
	at := strings.IndexAny(s, "eE")
	if at >= 0 {
		mantissa, tail = s[:at], s[at+1:]
	}
	whole, part, _ := strings.Cut(mantissa, ".")
	n.digits = whole + part
	if n.digits == "" || strings.Trim(n.digits, "0123456789") != "" {
		return n, false
	}
	if at >= 0 {
		exponent, ok := smallInteger(tail)
		if !ok {
			return n, false
		}
		n.exponent = exponent
	}
	n.exponent -= len(part)
	trimmed := strings.TrimRight(n.digits, "0")
	n.exponent += len(n.digits) - len(trimmed)
	if n.digits = strings.TrimLeft(trimmed, "0"); n.digits == "" {
		return decimalNumber{}, true
	}
	return n, true
}

// smallInteger reads an integer of up to nine digits.
func smallInteger(s string) (int, bool) {
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n := 0
	for _, digit := range s {
		n = 10*n + int(digit-'0')
	}
	return sign * n, true
}
