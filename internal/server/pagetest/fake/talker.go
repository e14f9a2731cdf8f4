package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

// talker makes one reply, token by token.
type talker struct {
	rng     *rand.Rand
	lines   []weighted // attempts that it may write
	written string     // the thought
	queue   []piece
	answer  string // what it will say when the thought is over
	fixed   bool   // texts that do not depend on chance
	closed  string // why the thought is to end
	over    bool   // the thought is
	done    bool
	most    int
}

// weighted is an attempt with its weight.
type weighted struct {
	text, expression string
	weight           float64
}

var tokenPattern = regexp.MustCompile(`\d+|\s+|[A-Za-z]+|<[^>]*>|.`)

var asks = regexp.MustCompile(`Use ([\d, ]+) to make (\d+)`)

// fixedTexts are said when the question holds their key.
var fixedTexts = map[string][2]string{
	"formula": {"We need $x^2 + y^2 = r^2$ here.\nSo \\(r = \\sqrt{x^2+y^2}\\). Wait, check: \\[\\frac{3}{5} + \\frac{4}{5} = \\frac{7}{5}\\]\n",
		"## The circle\n\nThe radius is **the root** of the sum:\n\n\\[ r = \\sqrt{x^2 + y^2} = \\begin{cases} 5 & x = 3 \\\\ 13 & x = 5 \\end{cases} \\]\n\n1. First, $\\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}$.\n2. Then `code` and *stress*.\n\n| a | b |\n|---|---|\n| 1 | $\\alpha$ |\n\n```python\nprint(\"<b>no</b>\")\n```\n\nThe answer is \\boxed{5}."},
	"hostile": {hostile, hostile},
	"empty":   {"It goes on and on.", ""},
}

// hostile is what must stay text.
const hostile = `<script>document.documentElement.dataset.pwned="1"</script><img src=x onerror="document.documentElement.dataset.pwned='1'">` +
	`<svg onload="document.documentElement.dataset.pwned='1'"></svg><iframe srcdoc="<script>parent.document.documentElement.dataset.pwned='1'</script>"></iframe>` +
	"\n\n[click](javascript:document.documentElement.dataset.pwned='1') [data](data:text/html,<script>1</script>) [ok](https://example.org/\"onmouseover=\"x)\n\n" +
	"\\(\\text{<img src=x onerror=alert(1)>}\\) $\\href{javascript:alert(1)}{x}$ \\[\\class{x}{\\unicode{<script>}}\\]\n\n| <b>a</b> | `<i>b</i>` |\n|---|---|\n| <script>1</script> | 2 |\n\n" +
	"```html\n<script>alert(1)</script>\n```\n\n<style>*{display:none}</style><base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>\n\\boxed{<img src=x onerror=alert(1)>}"

func newTalker(asked *request, seed int64) *talker {
	question, thought, text := asked.question(), asked.begun.thought, asked.begun.text
	t := &talker{rng: rand.New(rand.NewPCG(uint64(seed), 7)), written: thought, most: asked.Most, over: asked.begun.closed}
	if t.most == 0 {
		t.most = 4000
	}
	for key, texts := range fixedTexts {
		if strings.Contains(question, key) {
			t.fixed, t.answer = true, texts[1]
			if !t.over {
				t.push(strings.TrimPrefix(texts[0], thought), false)
			}
		}
	}
	if m := asks.FindStringSubmatch(question); m != nil {
		t.lines = attempts(m[1], m[2])
	} else if !t.fixed {
		t.fixed, t.answer = true, "You said: "+question
		if !t.over {
			t.push("The question has "+strconv.Itoa(len(strings.Fields(question)))+" words.\nI say it again.", false)
		}
	}
	if asked.Budget != nil && *asked.Budget == 0 {
		t.closed, t.queue = "budget", nil
	}
	if t.over {
		t.conclude(text)
	}
	return t
}

// push puts the tokens of a text into the queue.
func (t *talker) push(text string, answer bool) {
	for _, token := range tokenPattern.FindAllString(text, -1) {
		p := -0.02 - 0.8*t.rng.Float64()*t.rng.Float64()
		t.queue = append(t.queue, piece{text: token, logProb: p, answer: answer, others: []alternative{{token, p}, {"?", p - 3}}})
	}
}

// next gives the next token.
func (t *talker) next() piece {
	for len(t.queue) == 0 {
		t.more()
	}
	if t.closed != "" && !t.over {
		t.queue = nil
		t.end(t.closed)
	}
	p := t.queue[0]
	t.queue = t.queue[1:]
	if !p.answer && !p.mark {
		t.written += p.text
	}
	if t.most--; t.most <= 0 && p.finish == "" {
		p.finish = "length"
		if !p.answer {
			p.code = "no_answer"
		}
	}
	t.done = p.finish != ""
	return p
}

// more writes a further line of the thought, or ends it.
func (t *talker) more() {
	rows := strings.Split(t.written, "\n")
	last := rows[len(rows)-1]
	finished := strings.HasSuffix(strings.TrimRight(t.written, "\n"), " ok")
	if t.over || t.fixed || finished || len(rows) > 9 {
		t.end("model")
		return
	}
	prefix := strings.TrimPrefix(last, "wait ")
	lead := ""
	if last == "" && len(rows) > 1 {
		lead = "wait "
	}
	var fitting []weighted
	for _, l := range t.lines {
		if strings.HasPrefix(l.text, prefix) {
			fitting = append(fitting, l)
		}
	}
	if len(fitting) == 0 {
		t.push("\n", false)
		return
	}
	if lead != "" {
		t.push(lead, false)
	}
	t.draw(fitting, prefix)
}

// draw chooses one of the lines, token by token: each has the probability of the lines that go on with it.
func (t *talker) draw(lines []weighted, prefix string) {
	for len(lines) > 0 {
		weights, sum := map[string]float64{}, 0.0
		var order []string
		for _, l := range lines {
			rest := l.text[len(prefix):]
			if rest == "" {
				continue
			}
			token := tokenPattern.FindString(rest)
			if _, ok := weights[token]; !ok {
				order = append(order, token)
			}
			weights[token] += l.weight
			sum += l.weight
		}
		if sum == 0 {
			return
		}
		at, chosen := t.rng.Float64()*sum, order[0]
		for _, token := range order {
			chosen = token
			if at -= weights[token]; at < 0 {
				break
			}
		}
		p := piece{text: chosen, logProb: math.Log(weights[chosen] / sum)}
		for _, token := range order[:min(4, len(order))] {
			p.others = append(p.others, alternative{token, math.Log(weights[token] / sum)})
		}
		t.queue = append(t.queue, p)
		prefix += chosen
		var left []weighted
		for _, l := range lines {
			if strings.HasPrefix(l.text, prefix) {
				left = append(left, l)
			}
		}
		lines = left
	}
}

// end closes the thought and says the answer.
func (t *talker) end(why string) {
	t.over = true
	t.queue = append(t.queue, piece{text: "</think>", logProb: -0.01, mark: true, ended: why})
	t.conclude("")
}

// conclude puts the answer into the queue, without what of it was given.
func (t *talker) conclude(given string) {
	if !t.fixed {
		t.answer = "<answer>" + t.guess() + "</answer>"
	}
	from := len(t.queue)
	t.push(strings.TrimPrefix(t.answer, given), true)
	if len(t.queue) == from {
		t.queue = append(t.queue, piece{text: "", mark: true, code: "no_answer"})
	}
	t.queue[len(t.queue)-1].finish = "stop"
}

// guess is the expression of the last line that was said to be right, else now and then that of the last line at all.
func (t *talker) guess() string {
	expression := "none"
	for row := range strings.SplitSeq(t.written, "\n") {
		row = strings.TrimPrefix(row, "wait ")
		for _, l := range t.lines {
			if l.text == row+"\n" && (strings.HasSuffix(row, " ok") || t.rng.Float64() < 0.4) {
				expression = l.expression
			}
		}
	}
	return expression
}

// attempts lists what can be tried with the numbers, the likelier first.
func attempts(list, target string) []weighted {
	var given []int
	for field := range strings.SplitSeq(list, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(field)); err == nil {
			given = append(given, n)
		}
	}
	goal, _ := strconv.Atoi(target) // the pattern has digits alone
	var all []weighted
	if len(given) < 3 {
		return all
	}
	for i := range 3 {
		for j := range 3 {
			if i == j {
				continue
			}
			a, b, c := given[i], given[j], given[3-i-j]
			for x, first := range "+-*" {
				for y, second := range "+-*" {
					u := apply(a, b, first)
					v := apply(u, c, second)
					verdict, likes := "no", 1.0
					if v == goal {
						verdict, likes = "ok", 6
					}
					all = append(all, weighted{
						fmt.Sprintf("%d%c%d=%d %d%c%d=%d %s\n", a, first, b, u, u, second, c, v, verdict),
						fmt.Sprintf("(%d%c%d)%c%d", a, first, b, second, c),
						math.Exp(-0.5*float64(x+2*y+i)) * likes,
					})
				}
			}
		}
	}
	return all
}

func apply(a, b int, operator rune) int {
	switch operator {
	case '+':
		return a + b
	case '-':
		return a - b
	}
	return a * b
}
