package jinja

// testFunction is what stands behind `is`.
type testFunction struct {
	parameters string
	call       func(m *machine, of Value, a []Value) (bool, error)
}

// tests are the tests of Jinja.
var tests = map[string]testFunction{
	"boolean":     {"", kindTest(func(v Value) bool { _, ok := v.(Bool); return ok })},
	"callable":    {"", kindTest(isCallable)},
	"defined":     {"", kindTest(func(v Value) bool { return !isUndefined(v) })},
	"divisibleby": {"num", testDivisible},
	"escaped":     {"", kindTest(func(v Value) bool { _, ok := v.(Markup); return ok })},
	"even":        {"", testRest(0)},
	"false":       {"", kindTest(func(v Value) bool { return v == Bool(false) })},
	"filter":      {"", testFilter},
	"float":       {"", kindTest(func(v Value) bool { _, ok := v.(Float); return ok })},
	"in":          {"seq", func(m *machine, of Value, a []Value) (bool, error) { return m.contains(a[0], of) }},
	"integer":     {"", kindTest(func(v Value) bool { _, isBool := v.(Bool); _, ok := integer(v); return ok && !isBool })},
	"iterable":    {"", testIterable},
	"lower":       {"", caseTest(isLower)},
	"mapping":     {"", kindTest(func(v Value) bool { _, ok := v.(*Dict); return ok })},
	"none":        {"", kindTest(func(v Value) bool { return v == nil })},
	"number":      {"", kindTest(func(v Value) bool { _, isFloat := v.(Float); _, ok := integer(v); return ok || isFloat })},
	"odd":         {"", testRest(1)},
	"sameas":      {"other", func(m *machine, of Value, a []Value) (bool, error) { return same(of, a[0]), nil }},
	"sequence":    {"", kindTest(isSequence)},
	"string":      {"", kindTest(func(v Value) bool { _, ok := textOf(v); return ok })},
	"test":        {"", testTest},
	"true":        {"", kindTest(func(v Value) bool { return v == Bool(true) })},
	"undefined":   {"", kindTest(isUndefined)},
	"upper":       {"", caseTest(isUpper)},

	"==": {"other", operatorTest("==")}, "eq": {"other", operatorTest("==")}, "equalto": {"other", operatorTest("==")},
	"!=": {"other", operatorTest("!=")}, "ne": {"other", operatorTest("!=")},
	">": {"other", operatorTest(">")}, "gt": {"other", operatorTest(">")}, "greaterthan": {"other", operatorTest(">")},
	">=": {"other", operatorTest(">=")}, "ge": {"other", operatorTest(">=")},
	"<": {"other", operatorTest("<")}, "lt": {"other", operatorTest("<")}, "lessthan": {"other", operatorTest("<")},
	"<=": {"other", operatorTest("<=")}, "le": {"other", operatorTest("<=")},
}

func kindTest(holds func(Value) bool) func(*machine, Value, []Value) (bool, error) {
	return func(_ *machine, of Value, _ []Value) (bool, error) { return holds(of), nil }
}

func operatorTest(op string) func(*machine, Value, []Value) (bool, error) {
	return func(m *machine, of Value, a []Value) (bool, error) { return m.compare(op, of, a[0]) }
}

func isUndefined(v Value) bool {
	_, ok := v.(*undefinedValue)
	return ok
}

func isCallable(v Value) bool {
	switch v.(type) {
	case *function, *macroValue, *joinerValue, *loopValue, *undefinedValue:
		return true
	}
	return false
}

// isSequence: what has a length and items; a dict and an undefined value have both.
func isSequence(v Value) bool {
	switch v.(type) {
	case Str, Markup, *List, *Tuple, *Dict, *rangeValue, *undefinedValue:
		return true
	}
	return false
}

func testIterable(m *machine, of Value, _ []Value) (bool, error) {
	_, err := m.iterate(of)
	if isKind(err, "TypeError") {
		return false, nil
	}
	return err == nil, err
}

// testRest is v % 2 == rest.
func testRest(rest Int) func(*machine, Value, []Value) (bool, error) {
	return func(m *machine, of Value, _ []Value) (bool, error) {
		v, err := m.operate("%", of, Int(2))
		if err != nil {
			return false, err
		}
		return m.equal(v, rest)
	}
}

func testDivisible(m *machine, of Value, a []Value) (bool, error) {
	v, err := m.operate("%", of, a[0])
	if err != nil {
		return false, err
	}
	return m.equal(v, Int(0))
}

func caseTest(holds func(string) bool) func(*machine, Value, []Value) (bool, error) {
	return func(m *machine, of Value, _ []Value) (bool, error) {
		text, err := m.str(of)
		return holds(text), err
	}
}

func testFilter(m *machine, of Value, _ []Value) (bool, error) {
	name, _ := textOf(of)
	_, known := m.filters[name]
	return known, unhashable(of)
}

func testTest(m *machine, of Value, _ []Value) (bool, error) {
	name, _ := textOf(of)
	_, known := m.tests[name]
	return known, unhashable(of)
}

func unhashable(v Value) error {
	_, err := hashKey(v)
	return err
}
