package jinja

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// render parses and renders with small limits.
func render(source string, variables *Dict) (string, error) {
	t, err := Parse(source)
	if err != nil {
		return "", err
	}
	return t.Render(variables, Options{MaxSteps: 200_000, MaxOutput: 1 << 20, MaxMemory: 16 << 20})
}

// TestBombs: what grows without bound ends soon, in one error of the limits, or of Python where that has one.
func TestBombs(t *testing.T) {
	bombs := []string{
		"{{ 'a' * 10**9 }}", "{{ 'ab' * 999999999999 }}", "{{ [1] * 10**9 }}", "{{ (1,) * 10**30 }}", "{{ 9 ** (9 ** 9) }}", "{{ 2 ** (10**9) }}",
		"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
		"{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(99999) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"{% set ns = namespace(s='a') %}{% for i in range(99999) %}{% set ns.s = ns.s ~ 'aaaaaaaaaaaaaaaa' %}{% endfor %}{{ ns.s }}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
		"{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}",
		"{% set ns = namespace(t=(1,)) %}{% for i in range(9999) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}",
		"{{ 'x'|center(10**9) }}", "{{ 'x'.ljust(10**9) }}", "{{ 'x'.zfill(10**9) }}", "{{ '%999999999d' % 1 }}", "{{ '%.999999999f' % 1 }}", "{{ '{:999999999}'.format(1) }}", "{{ '%*d' % (999999999, 1) }}",
		"{{ ('a' * 1000).replace('', 'b' * 1000).replace('', 'b' * 1000) }}", "{{ ('a,' * 100000).split(',')|map('center', 1000)|join }}", "{{ 'a\tb'.expandtabs(10**9) }}", "{{ ['a' * 1000] * 10000 | join }}",
		"{{ [1]|batch(10**9, 0)|list }}", "{{ [1]|slice(10**9)|list }}", "{{ {'a': 1}|tojson(indent=10**9) }}", "{{ ('a' * 1000000)|list|length }}", "{{ ('\\n' * 100000)|indent(1000, true, true) }}",
		"{% for a in range(99999) recursive %}{{ loop(range(9)) }}{% endfor %}", "{{ range(10**20) }}", "{{ dict.fromkeys(range(99999))|length ~ dict.fromkeys(range(99999))|length ~ dict.fromkeys(range(99999))|length }}",
		"{{ " + strings.Repeat("(", 5000) + strings.Repeat(")", 5000) + " }}", "{{ " + strings.Repeat("-", 5000) + "1 }}", "{{ " + strings.Repeat("not ", 5000) + "1 }}", "{{ a" + strings.Repeat("[0", 5000), "{{ 1" + strings.Repeat("+1", 5000) + " }}",
		strings.Repeat("{% if 1 %}", 5000), strings.Repeat("{% for a in b %}", 5000), "{{ a" + strings.Repeat(".b", 5000) + " }}", "{{ a" + strings.Repeat("|e", 5000) + " }}", "{{ 1 if 1 else " + strings.Repeat("1 if 0 else ", 5000) + "1 }}", "{{ x" + strings.Repeat("(", 5000) + " }}", "{% set " + strings.Repeat("(", 5000), "{{ " + strings.Repeat("9", 100000) + " }}",
		"{% set a %}" + strings.Repeat("{{ 'aaaaaaaaaaaaaaaa' * 60000 }}", 40) + "{% endset %}{{ a }}",
	}
	for _, source := range bombs {
		var text string
		var err error
		took := quickest(3*time.Second, func() { text, err = render(source, nil) })
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.80q: rendered %d bytes, %v", source, len(text), err)
		}
		if took > 3*time.Second { // generous: the machine may be busy
			t.Errorf("%.80q: took %v", source, took)
		}
	}
}

// quickest is how long f takes, tried until it takes no more than enough, five times at most: other work on the machine hits single tries.
func quickest(enough time.Duration, f func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for try := 0; try < 5 && best > enough; try++ {
		began := time.Now()
		f()
		best = min(best, time.Since(began))
	}
	return best
}

// TestNothingQuadratic: twice the text takes about twice the steps.
func TestNothingQuadratic(t *testing.T) {
	sources := []string{
		"{{ s|length }}", "{{ s.split('<')|length }}", "{{ s.replace('a', 'bb')|length }}", "{{ s.strip()|upper|trim }}", "{{ s|tojson }}", "{{ s[::-1]|length }}", "{% for c in s %}{{ c }}{% endfor %}",
		"{{ s.splitlines()|join }}", "{{ s|indent }}", "{{ s.rsplit(none, 5)|length }}", "{{ s|list|sort|unique|list|length }}", "{{ s|e }}", "{{ s|striptags }}", "{{ s.title() }}", "{{ s|wordcount }}",
	}
	steps := func(source string, n int) int {
		template, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDict()
		d.Set("s", Str(strings.Repeat("ab <c>\n", n)))
		m := newMachine(Options{}.withDefaults())
		m.filters, m.tests, m.methods = filters, tests, methods
		root := &scope{}
		root.set("s", d.values[0])
		if _, err := m.run(template.body, root, &buffer{m: m}); err != nil {
			t.Fatal(err)
		}
		return m.options.MaxSteps - m.steps
	}
	for _, source := range sources {
		small, large := steps(source, 2000), steps(source, 8000)
		if large > 5*small+1000 {
			t.Errorf("%s: %d steps, %d for four times the text", source, small, large)
		}
	}
	// Parsing, by the clock: a quadratic scan would take far longer.
	for _, part := range []string{"{", "{%", "{{ 'a' }}", "{% raw %}", "{# a #}", "{{ a }} \n", "{% if a %}{% endif %}", "'", "{{ '", "-", "{%-"} {
		var err error
		if took := quickest(10*time.Second, func() { _, err = Parse(strings.Repeat(part, (1<<18)/len(part))) }); took > 10*time.Second {
			t.Errorf("%q: %v (%v)", part, took, err)
		}
	}
}

// TestNoReach: no attribute leads out of the values.
func TestNoReach(t *testing.T) {
	for _, name := range []string{"__class__", "__mro__", "__globals__", "__init__", "__subclasses__", "mro", "func_globals", "items.__self__", "format.__func__"} {
		for _, value := range []string{"''", "[]", "{}", "1", "range", "dict", "namespace()", "cycler(1)", "joiner()", "raise_exception", "loop", "m", "none", "missing"} {
			source := fmt.Sprintf("{%% macro m() %%}{%% endmacro %%}{%% for i in [1] %%}{{ %s.%s }}{%% endfor %%}", value, name)
			text, err := render(source, nil)
			if err == nil && text != "" && !strings.HasPrefix(name, "items") && !strings.HasPrefix(name, "format") {
				t.Errorf("%s: %q", source, text)
			}
			if _, err := render(fmt.Sprintf("{{ %s.%s() }}", value, name), nil); err == nil {
				t.Errorf("%s.%s() was called", value, name)
			}
		}
	}
	if text, err := render("{{ {'pop': 1, 'q': 2}.pop is undefined }}{{ {'pop': 1}['pop'] }}", nil); text != "True1" {
		t.Errorf("an entry behind a refused method: %q, %v", text, err)
	}
	for _, source := range []string{"{{ [1].append(2) }}", "{{ {}.update({}) }}", "{{ {'a': 1}.pop('a') }}", "{{ [2].sort() }}", "{% set namespace().a = 1 %}"} {
		if text, err := render(source, nil); err == nil || !isKind(err, "SecurityError", "TemplateSyntaxError") {
			t.Errorf("%s: %q, %v", source, text, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"{{ a.b[1:2]|tojson(indent=2) }}", "{% for k, v in d.items() if v %}{{ loop.index }}{% else %}{% endfor %}", "{%- macro m(a, b=1) -%}{{ varargs }}{% endmacro %}{{ m(*l) }}",
		"{% raw %}{{{% endraw %}{# c #}", "{{ '%s %05.2f' % (1, 2.5) }}{{ '{:>{w}}'.format(1, w=3) }}", "{% set ns = namespace(x=1) %}{% set ns.x = ns.x + 1 %}{{ ns }}", "{{ l|sort|map('upper')|join(', ') ~ 2**70 // 3 % -7 }}",
		"{% call(a) m() %}{{ a }}{% endcall %}{% filter upper %}x{% endfilter %}", "{{ u[::-1]|title|center(30) }}{{ s|safe + '<' }}{{ s.rsplit(none, 1) }}", "{% generation %}{% break %}{% endgeneration %}",
	} {
		f.Add(seed)
	}
	lines, err := os.ReadFile(filepath.Join("..", "..", "testdata", "snippets.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		var snippet struct {
			Template string `json:"t"`
		}
		if err := json.Unmarshal([]byte(line), &snippet); err != nil {
			f.Fatal(err)
		}
		f.Add(snippet.Template)
	}
	value, err := DecodeJSON([]byte(`{"a":{"b":[1,2.5,"x",null,true]},"d":{"k":1,"j":0},"l":["b","A"],"s":"<b>","u":"Köln 😀 ß","n":-7,"big":123456789012345678901234567890}`))
	if err != nil {
		f.Fatal(err)
	}
	variables := value.(*Dict)
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		o := Options{MaxSteps: 20_000, MaxOutput: 1 << 16, MaxMemory: 1 << 20, Now: func() time.Time { return time.Unix(0, 0).UTC() }}
		first, err := template.Render(variables, o)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || strings.TrimSpace(e.Kind) == "" {
				t.Errorf("an error without a kind: %v", err)
			}
		}
		if again, err2 := template.Render(variables, o); again != first || (err == nil) != (err2 == nil) {
			t.Errorf("rendered twice: %q, %v and %q, %v", first, err, again, err2)
		}
		if len(first) > o.MaxOutput {
			t.Errorf("%d bytes", len(first))
		}
	})
}
