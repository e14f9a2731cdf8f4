package jinja

import (
	"math"
	"math/big"
)

// filterFunction is a filter: with named parameters, bound by arguments.bind, or with any arguments.
type filterFunction struct {
	parameters string
	call       func(m *machine, of Value, a []Value) (Value, error)
	any        func(m *machine, of Value, a arguments) (Value, error)
}

// filters are the filters of Jinja, with transformers' tojson.
var filters = map[string]filterFunction{
	"abs":            {"", filterAbs, nil},
	"attr":           {"name", filterAttr, nil},
	"batch":          {"linecount fill_with?", filterBatch, nil},
	"capitalize":     {"", textFilter(capitalize), nil},
	"center":         {"width?", filterCenter, nil},
	"count":          {"", filterLength, nil},
	"d":              {"default_value? boolean?", filterDefault, nil},
	"default":        {"default_value? boolean?", filterDefault, nil},
	"dictsort":       {"case_sensitive? by? reverse?", filterDictSort, nil},
	"e":              {"", filterEscape, nil},
	"escape":         {"", filterEscape, nil},
	"filesizeformat": {"binary?", filterFileSize, nil},
	"first":          {"", filterFirst, nil},
	"float":          {"default?", filterFloat, nil},
	"forceescape":    {"", filterForceEscape, nil},
	"format":         {"", nil, filterFormat},
	"groupby":        {"attribute default? case_sensitive?", filterGroupBy, nil},
	"indent":         {"width? first? blank?", filterIndent, nil},
	"int":            {"default? base?", filterInt, nil},
	"items":          {"", filterItems, nil},
	"join":           {"d? attribute?", filterJoin, nil},
	"last":           {"", filterLast, nil},
	"length":         {"", filterLength, nil},
	"list":           {"", filterList, nil},
	"lower":          {"", textFilter(lower), nil},
	"map":            {"", nil, filterMap},
	"max":            {"case_sensitive? attribute?", filterMax, nil},
	"min":            {"case_sensitive? attribute?", filterMin, nil},
	"reject":         {"", nil, filterReject},
	"rejectattr":     {"", nil, filterRejectAttr},
	"replace":        {"old new count?", filterReplace, nil},
	"reverse":        {"", filterReverse, nil},
	"round":          {"precision? method?", filterRound, nil},
	"safe":           {"", filterSafe, nil},
	"select":         {"", nil, filterSelect},
	"selectattr":     {"", nil, filterSelectAttr},
	"slice":          {"slices fill_with?", filterSlice, nil},
	"sort":           {"reverse? case_sensitive? attribute?", filterSort, nil},
	"string":         {"", filterString, nil},
	"striptags":      {"", filterStripTags, nil},
	"sum":            {"attribute? start?", filterSum, nil},
	"title":          {"", filterTitle, nil},
	"tojson":         {"ensure_ascii? indent? separators? sort_keys?", filterToJSON, nil},
	"trim":           {"chars?", filterTrim, nil},
	"truncate":       {"length? killwords? end? leeway?", filterTruncate, nil},
	"unique":         {"case_sensitive? attribute?", filterUnique, nil},
	"upper":          {"", textFilter(upper), nil},
	"urlencode":      {"", filterURLEncode, nil},
	"wordcount":      {"", filterWordCount, nil},
}

func filterAbs(m *machine, of Value, _ []Value) (Value, error) {
	if f, ok := of.(Float); ok {
		return Float(math.Abs(float64(f))), nil
	}
	if i, ok := integer(of); ok {
		return normal(new(big.Int).Abs(i))
	}
	if u, ok := of.(*undefinedValue); ok {
		return nil, typeError("bad operand type for abs(): %s", quote(typeName(u)))
	}
	return nil, typeError("bad operand type for abs(): %s", quote(typeName(of)))
}

func filterLength(m *machine, of Value, _ []Value) (Value, error) {
	n, err := m.length(of)
	return Int(n), err
}

func filterDefault(m *machine, of Value, a []Value) (Value, error) {
	otherwise := or(a[0], Str(""))
	if _, ok := of.(*undefinedValue); ok {
		return otherwise, nil
	}
	boolean, err := m.truth(or(a[1], Bool(false)))
	if err != nil || !boolean {
		return of, err
	}
	yes, err := m.truth(of)
	if err != nil || yes {
		return of, err
	}
	return otherwise, nil
}

// filterAttr is getattr without the item that of.name falls back to.
func filterAttr(m *machine, of Value, a []Value) (Value, error) {
	name, ok := textOf(a[0])
	if !ok {
		return nil, typeError("attribute name must be string, not %s", quote(typeName(a[0])))
	}
	if u, ok := of.(*undefinedValue); ok {
		return nil, u.raise()
	}
	v, found, err := m.pythonAttribute(of, name)
	if err != nil || found {
		return v, err
	}
	return undefinedElement(of, Str(name)), nil
}

func filterFloat(m *machine, of Value, a []Value) (Value, error) {
	f, ok, err := m.toFloat(of)
	if err != nil {
		return nil, err
	}
	if !ok {
		return or(a[0], Float(0)), nil
	}
	return Float(f), nil
}

// toFloat is Python's float(v); ok is false where that raises TypeError or ValueError.
func (m *machine) toFloat(v Value) (f float64, ok bool, err error) {
	if text, isText := textOf(v); isText {
		f, ok = parseFloat(text)
		return f, ok, m.read(len(text))
	}
	if u, isUndefined := v.(*undefinedValue); isUndefined {
		return 0, false, u.raise()
	}
	return float(v)
}

func filterInt(m *machine, of Value, a []Value) (Value, error) {
	otherwise := or(a[0], Int(0))
	if text, ok := textOf(of); ok {
		base, isInt := smallInteger(or(a[1], Int(10)))
		if err := m.step(1 + len(text)/8); err != nil {
			return nil, err
		}
		if isInt && (base == 0 || base >= 2 && base <= 36) {
			if v, ok := parseInteger(text, int(base)); ok {
				return v, nil
			}
		}
		f, ok := parseFloat(text)
		if !ok || math.IsInf(f, 0) || math.IsNaN(f) {
			return otherwise, nil
		}
		return truncated(f)
	}
	if i, ok := integer(of); ok {
		return normal(i)
	}
	switch v := of.(type) {
	case *undefinedValue:
		return nil, v.raise()
	case Float:
		if math.IsNaN(float64(v)) {
			return otherwise, nil
		}
		return truncated(float64(v))
	}
	return otherwise, nil
}

// truncated is Python's int(f).
func truncated(f float64) (Value, error) {
	if math.IsInf(f, 0) {
		return nil, raise("OverflowError", "cannot convert float infinity to integer")
	}
	whole, _ := big.NewFloat(f).Int(nil)
	return normal(whole)
}

func filterRound(m *machine, of Value, a []Value) (Value, error) {
	method := "common"
	if a[1] != (absent{}) {
		method, _ = textOf(a[1])
	}
	precision := or(a[0], Int(0))
	switch method {
	case "common":
		return roundCommon(of, precision)
	case "ceil", "floor":
	default:
		return nil, raise("FilterArgumentError", "method must be common, ceil or floor")
	}
	scale, err := m.operate("**", Int(10), precision)
	if err != nil {
		return nil, err
	}
	scaled, err := m.operate("*", of, scale)
	if err != nil {
		return nil, err
	}
	if f, ok := scaled.(Float); ok {
		if math.IsNaN(float64(f)) {
			return nil, valueError("cannot convert float NaN to integer")
		}
		if method == "ceil" {
			f = Float(math.Ceil(float64(f)))
		} else {
			f = Float(math.Floor(float64(f)))
		}
		if scaled, err = truncated(float64(f)); err != nil {
			return nil, err
		}
	} else if _, ok := integer(scaled); !ok {
		return nil, typeError("must be real number, not %s", typeName(of))
	}
	return m.operate("/", scaled, scale)
}

// roundCommon is Python's round(v, digits): halves go to the even neighbour.
func roundCommon(v, digits Value) (Value, error) {
	n, isInt := smallInteger(digits)
	if digits != nil && !isInt {
		return nil, typeError("%s object cannot be interpreted as an integer", quote(typeName(digits)))
	}
	if f, ok := v.(Float); ok {
		if digits == nil {
			if math.IsNaN(float64(f)) {
				return nil, valueError("cannot convert float NaN to integer")
			}
			return truncated(math.RoundToEven(float64(f)))
		}
		return Float(roundFloat(float64(f), n)), nil
	}
	i, ok := integer(v)
	switch {
	case !ok:
		return nil, typeError("type %s doesn't define __round__ method", typeName(v))
	case digits == nil || n >= 0:
		return normal(i)
	case n < -maxBits:
		return Int(0), nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	quotient, rest := floorDivision(i, unit)
	twice := new(big.Int).Lsh(rest, 1)
	if order := twice.Cmp(unit); order > 0 || order == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return normal(quotient.Mul(quotient, unit))
}

func filterSum(m *machine, of Value, a []Value) (Value, error) {
	get, err := m.getter(or(a[0], nil), false, nil)
	if err != nil {
		return nil, err
	}
	total := or(a[1], Int(0))
	if _, ok := textOf(total); ok {
		return nil, typeError("sum() can't sum strings [use ''.join(seq) instead]")
	}
	it, err := m.iterate(of)
	if err != nil {
		return nil, err
	}
	for {
		v, ok, err := it.next()
		if err != nil || !ok {
			return total, err
		}
		if v, err = get(v); err != nil {
			return nil, err
		}
		if total, err = m.operate("+", total, v); err != nil {
			return nil, err
		}
	}
}
