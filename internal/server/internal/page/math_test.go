package page

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// show writes a tree in a short form.
func show(n *mathNode) string {
	if n == nil {
		return "nil"
	}
	var parts []string
	if n.Text != "" {
		parts = append(parts, n.Text)
	}
	for _, kid := range n.Kids {
		parts = append(parts, show(kid))
	}
	if n.Name == "mi" || n.Name == "mn" || n.Name == "mo" {
		return n.Text
	}
	return n.Name + "(" + strings.Join(parts, " ") + ")"
}

func TestFormula(t *testing.T) {
	for latex, want := range map[string]string{
		`x`:                                    `math(x)`,
		`x^2+1`:                                `math(mrow(msup(x 2) + 1))`,
		`\frac12`:                              `math(mfrac(1 2))`,
		`\frac{a}{b+1}`:                        `math(mfrac(a mrow(b + 1)))`,
		`\sqrt[3]{x}`:                          `math(mroot(x 3))`,
		`x_1^2`:                                `math(msubsup(x 1 2))`,
		`f'(x)`:                                `math(mrow(msup(f ′) ( x )))`,
		`f''^2`:                                `math(msup(f mrow(mrow(′ ′) 2)))`,
		`\sum_{i=1}^n i`:                       `math(mrow(msubsup(∑ mrow(i = 1) n) i))`,
		`1,234.5`:                              `math(1,234.5)`,
		`(1,2)`:                                `math(mrow(( 1 , 2 )))`,
		`\left(\frac12\right]`:                 `math(mrow(( mfrac(1 2) ]))`,
		`\begin{pmatrix}1&2\\3&4\end{pmatrix}`: `math(mrow(( mtable(mtr(mtd(1) mtd(2)) mtr(mtd(3) mtd(4))) )))`,
		`\text{if } x`:                         "math(mrow(mtext(if\u00a0) x))",
		`\mathbb{R}`:                           `math(ℝ)`,
		`\not=`:                                "math(=\u0338)",
		`\boxed{5}`:                            `math(menclose(5))`,
		`a\\b`:                                 `math(mtable(mtr(mtd(a)) mtr(mtd(b))))`,
		`\unknowncommand x`:                    `math(mrow(mtext(\unknowncommand) x))`,
		`5-3`:                                  `math(mrow(5 − 3))`,
		`\operatorname{lcm}(4,6)`:              `math(mrow(mtext(lcm) ( 4 , 6 )))`,
		`\binom{n}{k}`:                         `math(mrow(( mfrac(n k) )))`,
		`90^\circ`:                             `math(msup(90 ∘))`,
		``:                                     `math(mrow())`,
	} {
		got, err := formula(latex, false)
		if err != nil || show(got) != want {
			t.Errorf("%s: %s, %v; want %s", latex, show(got), err, want)
		}
	}
	if got, err := formula(`\sum_{i=1}^n i`, true); err != nil || show(got) != `math(mrow(munderover(∑ mrow(i = 1) n) i))` {
		t.Errorf("displayed: %s, %v", show(got), err)
	}
}

func TestFormulasThatCannotBeRead(t *testing.T) {
	for _, latex := range []string{`{`, `}`, `\frac{1}`, `\left(x`, `x\right)`, `\begin{pmatrix}1`, `\begin{nonsense}x\end{nonsense}`, `\begin{array}`, `x_`, `x_1_2`, `\end{x}`,
		"\xff", strings.Repeat("{", 4000), strings.Repeat(`\sqrt`, 700), strings.Repeat("x", maxFormula+1), `\left\frac12\right)`, `\text{`, `\not`} {
		if got, err := formula(latex, false); err == nil {
			t.Errorf("%.60q: %.200s", latex, show(got))
		}
	}
}

// names and attributes of the trees must be among those that the page makes.
var mathNames = map[string]bool{"math": true, "mrow": true, "mi": true, "mn": true, "mo": true, "mtext": true, "mspace": true, "mfrac": true, "msqrt": true, "mroot": true,
	"msub": true, "msup": true, "msubsup": true, "munder": true, "mover": true, "munderover": true, "mtable": true, "mtr": true, "mtd": true, "mphantom": true, "menclose": true}

var mathAttributes = map[string]bool{"display": true, "width": true, "stretchy": true, "fence": true, "form": true, "accent": true, "movablelimits": true, "linethickness": true,
	"notation": true, "columnalign": true, "columnspacing": true, "displaystyle": true, "minsize": true, "maxsize": true}

// kids is how many children an element must have, -1 for any number.
var kids = map[string]int{"mi": 0, "mn": 0, "mo": 0, "mtext": 0, "mspace": 0, "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}

func checkTree(t testing.TB, n *mathNode, latex string, depth int) int {
	if !mathNames[n.Name] || depth > 4*maxFormulaDepth {
		t.Fatalf("%q: element %q at depth %d", latex, n.Name, depth)
	}
	if count, ok := kids[n.Name]; ok && len(n.Kids) != count {
		t.Fatalf("%q: %s has %d children, want %d", latex, n.Name, len(n.Kids), count)
	}
	for name, value := range n.Attr {
		if !mathAttributes[name] || len(value) > 20 || strings.ContainsAny(value, "<>\"'&;:") {
			t.Fatalf("%q: attribute %s=%q", latex, name, value)
		}
	}
	size := 1
	for _, kid := range n.Kids {
		size += checkTree(t, kid, latex, depth+1)
	}
	return size
}

func FuzzFormula(f *testing.F) {
	for _, latex := range []string{`\frac{1}{2}`, `\begin{cases}x&y\\z\end{cases}`, `\left(\middle|\right.`, `\text{<script>}`, `\href{javascript:alert(1)}{x}`, `\sqrt[`, `x^{y^{z}}`, `\not\in`,
		`\color{red}x`, `\xrightarrow{a}`, `\begin{array}{cc}a&b\end{array}`, `\boxed{\mathbf{12}}`, "\\\xff", `\\[2pt]`, `'''`, `&&\\`} {
		f.Add(latex, true)
		f.Add(latex, false)
	}
	f.Fuzz(func(t *testing.T, latex string, display bool) {
		var n *mathNode
		var err error
		if took := quickest(time.Second, func() { n, err = formula(latex, display) }); took > time.Second {
			t.Fatalf("took %v", took)
		}
		if err != nil {
			return
		}
		if size := checkTree(t, n, latex, 0); size > 4*maxFormulaNodes {
			t.Fatalf("%d elements", size)
		}
		if text, err := json.Marshal(n); err != nil || strings.ContainsAny(string(text), "<>") {
			t.Fatalf("%v %s", err, text)
		}
	})
}

// The gold answers of MATH-500 and AIME are what models write at the end.
func TestFormulasOfBenchmarks(t *testing.T) {
	data := os.Getenv("RETORT_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(data, "bench", "math500.jsonl"))
	if err != nil {
		t.Skipf("no benchmark data: %v", err)
	}
	defer func() { _ = file.Close() }()
	total, unread, unknown := 0, 0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var problem struct {
			Answer string `json:"answer"`
		}
		if err := json.Unmarshal(lines.Bytes(), &problem); err != nil {
			t.Fatal(err)
		}
		total++
		n, err := formula(problem.Answer, true)
		if err != nil {
			unread++
			t.Logf("cannot be read: %s", problem.Answer)
			continue
		}
		checkTree(t, n, problem.Answer, 0)
		if strings.Contains(show(n), `mtext(\`) {
			unknown++
			t.Logf("an unknown command: %s", problem.Answer)
		}
	}
	t.Logf("%d answers, %d cannot be read, %d with an unknown command", total, unread, unknown)
	if total > 0 && (unread+unknown)*100 > total {
		t.Errorf("%d of %d answers are not shown", unread+unknown, total)
	}
}

func TestConvertMath(t *testing.T) {
	p, _, _ := newPage(t)
	var answer struct {
		Formulas []*mathNode `json:"formulas"`
	}
	want(t, p, 200, "POST", "/page/api/math", `{"formulas":[{"latex":"x^2"},{"latex":"{"},{"latex":"\\text{<script>}","display":true}]}`, &answer)
	if len(answer.Formulas) != 3 || answer.Formulas[1] != nil || show(answer.Formulas[2]) != "math(mtext(<script>))" {
		t.Errorf("%v", answer.Formulas)
	}
	want(t, p, 400, "POST", "/page/api/math", `{"formulas":[`+strings.Repeat(`{},`, maxFormulas)+`{}]}`, nil)
	want(t, p, 413, "POST", "/page/api/math", `{"formulas":[{"latex":"`+strings.Repeat("x", 1<<20)+`"}]}`, nil)
	want(t, p, 400, "POST", "/page/api/math", `[]`, nil)
}
