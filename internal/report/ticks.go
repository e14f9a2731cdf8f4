package report

import (
	"math"
	"strconv"
	"strings"
)

// finite reports whether v can be drawn. Beyond 1e150 the difference of two
// values or their product overflows, and no chart is meant.
func finite(v float64) bool { return math.Abs(v) <= 1e150 }

// Format says how a number is written.
type Format uint8

// The formats: Plain has three significant digits (0.0123, 4.56, 12,345),
// Percent takes a share (0.613 is 61.3%), Count is a whole number with separators.
const (
	Plain Format = iota
	Percent
	Count
)

// Text writes v in the format; what is not a finite number is a dash.
func (f Format) Text(v float64) string {
	if !finite(v) {
		return "–"
	}
	switch f {
	case Percent:
		decimals := 1
		switch a := math.Abs(v); {
		case a == 0:
			decimals = 0
		case a < 0.001:
			decimals = 3
		}
		if math.Abs(v) >= 1e4 {
			return exponent(v*100, 2) + "%"
		}
		return minus(strconv.FormatFloat(v*100, 'f', decimals, 64)) + "%"
	case Count:
		return plain(v, 0)
	}
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a < 1e-3 || a >= 1e12:
		return exponent(v, 2)
	case v == math.Trunc(v) || a >= 1000:
		return plain(v, 0)
	}
	decimals := 2 - int(math.Floor(math.Log10(a)))
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	return minus(strings.TrimSuffix(strings.TrimRight(s, "0"), "."))
}

// plain writes v with decimals digits after the point and commas between
// thousands.
func plain(v float64, decimals int) string {
	if math.Abs(v) >= 1e15 {
		return exponent(v, 2)
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	if len(whole) > 3 {
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if v < 0 && strings.Trim(whole, "0.,") != "" {
		whole = "−" + whole
	}
	return whole
}

func exponent(v float64, decimals int) string {
	mantissa, power, _ := strings.Cut(strconv.FormatFloat(v, 'e', decimals, 64), "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimSuffix(strings.TrimRight(mantissa, "0"), ".")
	}
	n, _ := strconv.Atoi(power) // FormatFloat wrote it
	return minus(mantissa + "e" + strconv.Itoa(n))
}

// minus replaces hyphens by minus signs and drops the sign of a zero.
func minus(s string) string {
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		s = s[1:]
	}
	return strings.ReplaceAll(s, "-", "−")
}

// niceStep returns the smallest of 1, 2 and 5 times a power of ten that is at
// least raw (> 0), as mantissa and power.
func niceStep(raw float64) (mantissa float64, power int) {
	power = int(math.Floor(math.Log10(raw)))
	f := raw / math.Pow10(power)
	const slack = 1 + 1e-9
	for _, m := range []float64{1, 2, 5} {
		if f <= m*slack {
			return m, power
		}
	}
	return 1, power + 1
}

// timesPow10 returns v*10^power with one rounding, so that 3*10^-1 is 0.3.
func timesPow10(v float64, power int) float64 {
	if power < 0 {
		return v / math.Pow10(-power)
	}
	return v * math.Pow10(power)
}

// niceTicks returns at most about n+1 equally spaced round values around or in
// [lo, hi], lo < hi, and their distance. With cover the first is <= lo and the last >= hi;
// without it all lie inside. minStep, if not 0, is the least distance.
func niceTicks(lo, hi float64, n int, minStep float64, cover bool) (ticks []float64, step float64) {
	raw := math.Max((hi-lo)/float64(max(n, 1)), minStep)
	mantissa, power := niceStep(raw)
	step = timesPow10(mantissa, power)
	const slack = 1e-9
	first, last := math.Ceil(lo/step-slack), math.Floor(hi/step+slack)
	if cover {
		first, last = math.Floor(lo/step+slack), math.Ceil(hi/step-slack)
	}
	for i := first; i <= last && len(ticks) < 64; i++ {
		ticks = append(ticks, timesPow10(i*mantissa, power))
	}
	return ticks, step
}

// logTicks returns round values for a logarithmic axis that covers [lo, hi],
// 0 < lo < hi: 1, 2 and 5 times powers of ten while these are few, else powers of ten, thinned
// to about n. With cover the ends lie outside of the range if there are such values, without it none does.
func logTicks(lo, hi float64, n int, cover bool) []float64 {
	first, last := int(math.Floor(math.Log10(lo)+1e-9)), int(math.Ceil(math.Log10(hi)-1e-9))
	if last-first <= 4 {
		if ticks := powers(lo, hi, first, last, 1, []float64{1, 2, 5}, cover); len(ticks) <= n+3 {
			return ticks
		}
	}
	every := 1 + (last-first)/max(n, 1)
	if cover {
		last = first + (last-first+every-1)/every*every
	}
	return powers(lo, hi, first, last, every, []float64{1}, cover)
}

// powers returns the multiples of 10^first, 10^(first+every), ..., up to
// 10^last, cut to the range [lo, hi], with cover to one value beyond its ends.
func powers(lo, hi float64, first, last, every int, multiples []float64, cover bool) []float64 {
	var all []float64
	for p := first; p <= last; p += every {
		for _, m := range multiples {
			all = append(all, timesPow10(m, p))
		}
	}
	const slack = 1e-9
	var out []float64
	for i, v := range all {
		inside := v >= lo*(1-slack) && v <= hi*(1+slack)
		below := v < lo && i+1 < len(all) && all[i+1] > lo*(1+slack)
		above := v > hi && i > 0 && all[i-1] < hi*(1-slack)
		if inside || cover && (below || above) {
			out = append(out, v)
		}
	}
	return out
}

// tickLabels writes linear ticks with the decimals that their step needs.
func tickLabels(ticks []float64, step float64, f Format) []string {
	suffix, factor := "", 1.0
	most := 0.0
	for _, t := range ticks {
		most = math.Max(most, math.Abs(t))
	}
	switch {
	case f == Percent && (most >= 1e4 || most != 0 && most < 1e-5):
		return logLabels(ticks, f)
	case f == Percent:
		suffix, factor = "%", 100
	case most >= 1e9 || most != 0 && most < 1e-3:
		return logLabels(ticks, Plain)
	case most >= 2e6:
		suffix, factor = "M", 1e-6
	case most >= 1e4 && step >= 100:
		suffix, factor = "k", 1e-3
	}
	decimals := max(0, -int(math.Floor(math.Log10(step*factor)+1e-9)))
	labels := make([]string, len(ticks))
	for i, t := range ticks {
		labels[i] = plain(t*factor, min(decimals, 12)) + suffix
		if t == 0 && f != Percent {
			labels[i] = "0"
		}
	}
	return labels
}

// logLabels writes each tick on its own, as short as it can be.
func logLabels(ticks []float64, f Format) []string {
	labels := make([]string, len(ticks))
	for i, t := range ticks {
		v, suffix := t, ""
		if f == Percent {
			v, suffix = t*100, "%"
		}
		a := math.Abs(v)
		switch {
		case a == 0:
			labels[i] = "0" + suffix
		case a < 1e-3 || a >= 1e9:
			labels[i] = exponent(v, 6) + suffix
		case a >= 1e6:
			labels[i] = minus(strconv.FormatFloat(v*1e-6, 'g', 9, 64)) + "M" + suffix
		case a >= 1e4:
			labels[i] = minus(strconv.FormatFloat(v*1e-3, 'g', 9, 64)) + "k" + suffix
		default:
			labels[i] = minus(strconv.FormatFloat(v, 'g', 9, 64)) + suffix
		}
	}
	return labels
}
