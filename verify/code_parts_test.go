package verify

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestExtractProgram(t *testing.T) {
	const fence = "```"
	for name, c := range map[string]struct{ text, want string }{
		"last python":     {fence + "python\na\n" + fence + "\nor\n" + fence + "python\nb\n" + fence + "\n" + fence + "\nout\n" + fence, "b\n"},
		"no language":     {fence + "\na\n" + fence, "a\n"},
		"other language":  {fence + "cpp\na\n" + fence, ""},
		"py":              {"x\n  " + fence + "Py3 title\n  a\n  " + fence, "  a\n"},
		"after thought":   {"<think>" + fence + "python\na\n" + fence + "</think>\n" + fence + "python\nb\n" + fence, "b\n"},
		"thought only":    {"<think>" + fence + "python\na\n" + fence, ""},
		"not closed":      {fence + "python\na\nb", "a\nb\n"},
		"end forgotten":   {fence + "python\na\n" + fence + "python\nb\n" + fence, "b\n"},
		"longer fence":    {fence + "`python\nx = '''\n" + fence + "\n'''\n" + fence + "`", "x = '''\n" + fence + "\n'''\n"},
		"inline":          {"Use " + fence + "x" + fence + " here.", ""},
		"bare":            {"# a\nimport sys\nprint(1)", "# a\nimport sys\nprint(1)"},
		"bare body":       {"    return x < 1\n", "    return x < 1"},
		"bare indented":   {"\n    a.sort()\n    return a\n", "    a.sort()\n    return a\n"},
		"call in prose":   {"a.sort() is what you need", ""},
		"bare assignment": {"x, y = 1, 2\nprint(x)", "x, y = 1, 2\nprint(x)"},
		"prose":           {"from what I see, the answer is 4", ""},
		"equality":        {"Since a == b we stop", ""},
		"template":        {fence + "python\na\n" + fence + "<|im_end|>", "a\n"},
		"empty":           {fence + "python\n\n" + fence, ""},
	} {
		got, ok := ExtractProgram(c.text)
		if strings.TrimRight(got, " \n") != strings.TrimRight(c.want, " \n") && ok || ok != (c.want != "") {
			t.Errorf("%s: got %q %v, want %q", name, got, ok, c.want)
		}
	}
}

func TestCompareOutput(t *testing.T) {
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{"1\n2\n", "1\n2", true}, {"1 2", "1 2 \n\n", true}, {"1\n2", "1 2", false}, {"1\n\n2", "1\n2", false},
		{"1.0", "1", true}, {"1.50 2", "1.5 2.0", true}, {"1.5", "1.50001", false}, {"1e2", "100", true}, {"-0.0", "0", true},
		{"1e999999999", "1e999999998", false}, {"10e5", "1e6", true}, {"inf", "Infinity", true}, {"inf", "-inf", false}, {"nan", "NaN", false},
		{"nan", "nan", true}, {"yes", "YES", false}, {"1 a", "1.0 a", false}, {"", "", true}, {"", "x", false}, {"x", "", false},
		{"1_000", "1000", true}, {"1e", "1", false}, {"0x10", "16", false}, {".5", "0.5", true}, {"1.", "1", true}, {".", "0", false},
		{"123456789012345678901234567890.1", "123456789012345678901234567890.10", true},
		{"123456789012345678901234567890.1", "123456789012345678901234567890.2", false},
	} {
		if _, _, _, same := compareOutput(c.want, c.got); same != c.same {
			t.Errorf("%q and %q: got %v, want %v", c.want, c.got, same, c.same)
		}
		if _, _, _, same := compareOutput(c.got, c.want); same != c.same {
			t.Errorf("%q and %q: not symmetric", c.got, c.want)
		}
	}
	if line, want, got, _ := compareOutput("1\n2\n3", "1\n2"); line != 3 || want != "3" || got != "" {
		t.Errorf("got line %d, %q, %q", line, want, got)
	}
}

// TestLiterals compares values as the comparison of Python does: each pair's truth was read off Python 3.11.
func TestLiterals(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"1", "1.0", true}, {"True", "1", true}, {"False", "0.0", true}, {"None", "0", false}, {"None", "False", false},
		{"0.1", "0.1000000000000000055511151231257827", true}, {"0.1", "0.1000001", false}, {"ratio(1,2)", "0.5", true}, {"ratio(1,10)", "0.1", false},
		{"10000000000000000000001", "1e22", false}, {"10000000000000000000000", "1e22", true}, {"-0", "0", true}, {"-0.0", "0", true}, {"1_000", "1000", true},
		{"0x1F", "31", true}, {"0b11", "3", true}, {"0o17", "15", true}, {"1e400", "inf", true}, {"nan", "nan", false}, {"[nan]", "[nan]", false},
		{"complex(1.0,0.0)", "1", true}, {"complex(1.0,2.0)", "1", false}, {"+5", "5", true}, {"--5", "5", true},
		{"'a'", `"a"`, true}, {`'a\n'`, `"""a
"""`, true}, {`r'\n'`, `'\\n'`, true}, {`'a' "b"`, "'ab'", true}, {`'\x41\u0042\U00000043\104'`, "'ABCD'", true}, {`'\q'`, `'\\q'`, true},
		{"'a'", "b'a'", false}, {`b'\xff'`, `b'\377'`, true}, {`'\ud800'`, `'\ud801'`, false}, {`'\ud800'`, `'\ud800'`, true},
		{"[1, 2]", "[1,2,]", true}, {"(1, 2)", "[1, 2]", false}, {"(1)", "1", true}, {"(1,)", "1", false}, {"(1,)", "(1, )", true}, {"()", "[]", false},
		{"{1, 2}", "{2, 1, 1.0}", true}, {"set()", "{}", false}, {"frozenset({1})", "{1}", true}, {"{(1, 2)}", "{(1, 2,)}", true},
		{"{'a': 1, 'b': 2}", "{'b': 2.0, 'a': 1}", true}, {"{1: 2, 1.0: 3}", "{1: 3}", true}, {"{1: 2}", "{1: 3}", false}, {"{1}", "{1: 1}", false},
		{"[1, # one\n 2]", "[1, 2]", true}, {"['1']", "[1]", false}, {"[[1], [2]]", "[[1, 2]]", false}, {"['a,b']", "['a','b']", false}, {"opaque", "opaque", false},
		{"float('-inf')", "-1e999", true}, {"[]", "[[]]", false},
	} {
		a, err := parseLiteral(c.a)
		if err != nil {
			t.Errorf("%s: %v", c.a, err)
			continue
		}
		b, err := parseLiteral(c.b)
		if err != nil {
			t.Errorf("%s: %v", c.b, err)
			continue
		}
		if a.equal(b, false) != c.same || b.equal(a, false) != c.same {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.same)
		}
		again, err := parseLiteral(a.String())
		if err != nil || again.equal(a, false) != a.equal(a, false) || again.String() != a.String() {
			t.Errorf("%s is written as %s, which is read as %v (%v)", c.a, a, again, err)
		}
	}
	for _, bad := range []string{"", "1 2", "[1", "x", "f('a')", "f'a'", "'a", "1 + 2", "{1: 2, 3}", "{1, 2: 3}", "012", "1j", "__import__('os')", "[1]]", "-'a'", `'\N{DASH}'`, "lambda: 0", strings.Repeat("[", 1000), "0x", "1e", "(,)"} {
		if v, err := parseLiteral(bad); err == nil {
			t.Errorf("%q is read as %v", bad, v)
		}
	}
}

func TestValueOfJSON(t *testing.T) {
	for text, literal := range map[string]string{
		`[1, 2.5, "a\u00e9", null, true, {"k": [1e2]}]`: "[1, 2.5, 'aé', None, True, {'k': [100]}]",
		`123456789012345678901`:                         "123456789012345678901",
		`-0`:                                            "0",
		`"\u0000'"`:                                     `'\x00\''`,
	} {
		a, errA := valueOfJSON([]byte(text))
		b, errB := parseLiteral(literal)
		if errA != nil || errB != nil || !a.equal(b, false) {
			t.Errorf("%s: %v %v, want %s (%v)", text, a, errA, literal, errB)
		}
	}
	for _, bad := range []string{"", "[1", "1 2", "x", strings.Repeat("[", 5000), `{"a"}`} {
		if v, err := valueOfJSON([]byte(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, v)
		}
	}
	list, _ := valueOfJSON([]byte("[1,[2]]"))
	tuple, _ := parseLiteral("(1,(2,))")
	if !list.equal(tuple, true) || list.equal(tuple, false) {
		t.Error("a tuple is a list only where asked for")
	}
}

func TestSplitAssert(t *testing.T) {
	for _, c := range []struct{ text, call, want string }{
		{"assert f(1) == 2", "f(1)", "2"},
		{"assert f(1, k=[2, 3]) == (1, 'a == b, c')", "f(1, k=[2, 3])", "(1, 'a == b, c')"},
		{"assert 2 == f(1), 'message'", "f(1)", "2"},
		{"assert (f(1) == -2)", "f(1)", "-2"},
		{"assert(f(1)) == [\n1,\n2]", "(f(1))", "[1, 2]"},
		{"assert sorted(f(x=1)) == [1]", "sorted(f(x=1))", "[1]"},
		{"assert f(1) is None", "f(1)", "None"},
		{"assert f(')')", "f(')')", "True"},
		{"assert not f([1, not 2])", "f([1, not 2])", "False"},
		{"assert abs(f(2) - 3.5) < 1e-6", "", ""},
		{"assert abs(f(2) - 3.5) == 0", "", ""},
		{"assert f(1) == 2 and f(2) == 3", "", ""},
		{"assert f(1) == f(2)", "", ""},
		{"assert f(1) == 2 == 2", "", ""},
		{"assert f(1) != 2", "", ""},
		{"assert f(1) in [1, 2]", "", ""},
		{"assert f(1) + 1 == 2", "", ""},
		{"assert f(1)[0] == 2", "", ""},
		{"assert x == 2", "", ""},
		{"assert f(1) is 2", "", ""},
		{"assert isclose(f(1), 2.5) == True", "isclose(f(1), 2.5)", "True"}, // the entry point decides
		{"assert f(1) == 2\nassert f(2) == 3", "", ""},
		{"assertion(1) == 2", "", ""},
		{"assert f(1", "", ""},
		{"assert f(1) == 2; import os", "", ""},
	} {
		a, ok := splitAssert(c.text)
		if ok != (c.call != "") || ok && (a.call != c.call || a.want.String() != c.want) {
			t.Errorf("%s: got %q %v %v, want %q %s", c.text, a.call, a.want, ok, c.call, c.want)
		}
	}
	for expression, name := range map[string]string{
		"f(1)": "f", "sorted(list(f(1)))": "f", "(f(1))": "f", "f(1)(2)": "", "f(1) ": "f", "a.f(1)": "", "isclose(f(1), 2)": "isclose", "len(f(1) - 3)": "", "f": "",
	} {
		if got := callOf(expression); got != name {
			t.Errorf("callOf(%q) = %q, want %q", expression, got, name)
		}
	}
}

// refusing is a Runner without isolation.
type refusing struct{}

func (refusing) Run(context.Context, CodeJob) (CodeResult, error) {
	return CodeResult{}, errors.New("no namespaces")
}

// TestNoIsolation: what cannot be run is Unknown, in each kind of test.
func TestNoIsolation(t *testing.T) {
	out := "1"
	for _, p := range []CodeProblem{
		{Tests: []CodeTest{{Output: &out}}},
		{EntryPoint: "f", Tests: []CodeTest{{Expected: []byte("1")}}},
		{Tests: []CodeTest{{Assert: "assert f(1) == 1"}}},
		{EntryPoint: "f", Check: "def check(candidate): pass"},
	} {
		v := CheckCode(t.Context(), refusing{}, p, "```python\ndef f(x): return 1\n```", CodeOptions{})
		if v.Outcome != Unknown || v.Rule != RuleNoIsolation || v.Reason != "cannot judge: no namespaces" {
			t.Errorf("%+v: got %+v", p, v)
		}
	}
}

// echoing is a Runner whose programs end well and say nothing but a pass.
type echoing struct{}

func (echoing) Run(_ context.Context, job CodeJob) (CodeResult, error) {
	if job.Serve != nil {
		job.Serve([]byte("passed"))
		job.Serve([]byte("right"))
	}
	return CodeResult{Ending: CodeExited, Stdout: []byte("passed\n")}, nil
}

// TestExitStatusIsNoPass: a program that ends with status 0 has passed nothing.
func TestExitStatusIsNoPass(t *testing.T) {
	out := "1"
	for _, p := range []CodeProblem{
		{Tests: []CodeTest{{Output: &out}}},
		{EntryPoint: "f", Tests: []CodeTest{{Expected: []byte("1")}}},
		{Tests: []CodeTest{{Assert: "assert f(1) == 1"}}},
		{EntryPoint: "f", Check: "def check(candidate): pass"},
	} {
		if v := CheckCode(t.Context(), echoing{}, p, "```python\ndef f(x): return 1\n```", CodeOptions{}); v.Outcome == Right {
			t.Errorf("%+v: got %+v", p, v)
		}
	}
}

func FuzzParseLiteral(f *testing.F) {
	for _, seed := range []string{"[1, (2,), {'a': b'x'}, {1}, set(), -1.5e3, complex(1.0,2.0)]", `'\ud800\x00' "b"`, "ratio(1,3)", "'\xed00'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseLiteral(text)
		if err != nil {
			return
		}
		again, err := parseLiteral(v.String())
		if err != nil || again.String() != v.String() || again.equal(v, false) != v.equal(v, false) {
			t.Errorf("%q is written as %q, which is read as %v (%v)", text, v, again, err)
		}
	})
}

func FuzzSplitAssert(f *testing.F) {
	f.Add("assert f(1) == 2, 'x'")
	f.Add("assert not (f('a'))")
	f.Fuzz(func(_ *testing.T, text string) {
		splitAssert(text)
		ExtractProgram(text)
		compareOutput(text, "1.5e3")
	})
}
