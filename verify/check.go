package verify

import (
	"strings"
	"unicode"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// Check judges an answer against the gold answer. Both may be bare answers or whole completions, in which the answer is
// found first (Extract). An answer that is missing or cannot be read is Wrong; a gold answer that is missing or cannot be
// read, and what is beyond the limits or the budget, is Unknown. The verdict names the rule that decided and both
// canonical forms.
func Check(gold, answer string, o Options) Verdict {
	want, ok := Extract(gold, o)
	if !ok {
		return Verdict{Outcome: Unknown, Rule: RuleNoGold, Reason: "no gold answer was found"}
	}
	got, ok := Extract(answer, o)
	if !ok {
		return Verdict{Outcome: Wrong, Rule: RuleNoAnswer, Reason: "no answer was found", Gold: shorten(want)}
	}
	v := Equal(want, got, o)
	switch {
	case v.Outcome == Right && (len(want) < len(gold) || len(got) < len(answer)) && opposed(gold, answer):
		return conclude(result{Wrong, RuleWords}, v.Gold, v.Answer)
	case v.Outcome == Wrong && (len(want) < len(gold) || len(got) < len(answer)):
		x, readX := decimalComma(gold, want)
		y, readY := decimalComma(answer, got)
		if !readX && !readY {
			break
		}
		if w := Equal(x, y, o); w.Outcome == Right {
			return w
		}
	}
	return v
}

// Equal judges a bare answer against a bare gold answer, without looking for either in a text. Apart from Unknown for an
// unreadable gold answer against Wrong for an unreadable answer, it is symmetric.
func Equal(gold, answer string, o Options) Verdict {
	gold, answer = unwrapped(gold), unwrapped(answer)
	if o.Choice {
		return equalChoice(gold, answer)
	}
	if x, ok := choiceOf(gold); ok {
		if y, ok := choiceOf(answer); ok && (x.marked || y.marked) {
			return conclude(judged(x.letter == y.letter, RuleLetter), string(x.letter), string(y.letter))
		}
	}
	c := checker{options: &o, steps: budget}
	if rest := dropRemark(gold); len(rest) < len(gold) {
		gold, c.integers = rest, c.integers || strings.Contains(gold[len(rest):], "integer")
	}
	if rest := dropRemark(answer); len(rest) < len(answer) {
		answer, c.integers = rest, c.integers || strings.Contains(answer[len(rest):], "integer")
	}
	a, failA := parse(gold, &o)
	b, failB := a, failA
	if answer != gold {
		b, failB = parse(answer, &o)
	}
	if failA == failNone && failB == failNone && o.Decimals == "" && o.Precision == 0 && o.Fractions == "" {
		x, ok := rational(a)
		if y, also := rational(b); ok && also {
			return conclude(sameNumbers(a, b, x, y), shorten(x.String()), shorten(y.String()))
		}
	}
	if o.Fractions == FractionsLow && failB == failNone && reducible(b) {
		return conclude(result{Wrong, RuleReduced}, a.shown(&c, gold), b.shown(&c, answer))
	}
	if alike(gold, answer) && sameLayout(gold, answer) {
		x := a.shown(&c, gold)
		if answer == gold {
			return conclude(result{Right, RuleText}, x, x)
		}
		return conclude(result{Right, RuleText}, x, b.shown(&c, answer))
	}
	if failA == failNone && failB == failNone && (a.kind == kBased || b.kind == kBased) && sameLayout(strings.ToLower(gold), strings.ToLower(answer)) {
		return conclude(result{Right, RuleText}, a.shown(&c, gold), b.shown(&c, answer)) // 3a_{16}
	}
	r := c.decide(gold, answer, a, b, failA, failB)
	if c.spent {
		c.steps, c.spent = budget, false // for the canonical forms
	}
	return conclude(r, a.shown(&c, gold), b.shown(&c, answer))
}

// rational is the value of a literal or of a fraction of two.
func rational(n *node) (rat.Rat, bool) {
	switch {
	case n.kind == kNumber:
		return n.value, true
	case n.kind == kMul && len(n.args) == 2 && n.args[0].kind == kNumber && n.args[1].kind == kDiv:
		v, ok := rational(n.args[1])
		return v.Mul(n.args[0].value), ok && n.args[0].value.Bits() < 256
	case n.kind != kDiv || n.args[0].kind != kNumber || n.args[1].kind != kNumber || n.args[1].value.Sign() == 0 || n.args[0].value.Bits()+n.args[1].value.Bits() > 256:
		return rat.Rat{}, false
	}
	return n.args[0].value.Mul(n.args[1].value.Inv()), true
}

// decide compares two parsed answers, and words where one could not be parsed.
func (c *checker) decide(gold, answer string, a, b *node, failA, failB failure) result {
	textual := failA != failNone || failB != failNone || a.kind == kText || b.kind == kText || wordy(gold) && inWords(answer) || wordy(answer) && inWords(gold) || c.options.Text == TextSynonyms
	x, y := "", "-"
	if textual && alike(gold, answer) {
		x, y = wordsKey(gold, c.options), wordsKey(answer, c.options)
	}
	if x == y && (strings.ContainsFunc(x, unicode.IsLetter) || c.options.Text == TextSynonyms && x != "") && len(x) < 4096 {
		return result{Right, RuleWords}
	}
	if textual && (c.asserted(gold, y) || c.asserted(answer, x)) {
		return result{Right, RuleWords}
	}
	if r, ok := c.meanings(gold, answer, a, b); ok {
		return r
	}
	switch {
	case failA == failLimit || failB == failLimit:
		return result{Unknown, RuleLimit}
	case failA != failNone && failB != failNone:
		return result{Wrong, RuleWords}
	case failB != failNone:
		return result{Wrong, RuleMalformed}
	case failA != failNone:
		return result{Wrong, RuleWords}
	}
	a, b = c.evaluated(a), c.evaluated(b)
	r := c.same(a, b)
	if r.outcome == Wrong && (a.count(isPlusMinus, 2) > 1 || b.count(isPlusMinus, 2) > 1) {
		c.spread = true // 1 ± 2 ± 3 may mean two values or four
		if s := c.same(a, b); s.outcome == Right {
			r = s
		}
		c.spread = false
	}
	if r.outcome == Wrong && !c.spent {
		if s := c.otherReading(gold, answer, a, b); s.outcome == Right {
			return s
		}
	}
	if r.outcome != Wrong && opposed(gold, answer) {
		return result{Wrong, RuleWords}
	}
	if r.outcome == Wrong && (c.ungrouped(gold, a, b) || c.ungrouped(answer, b, a)) {
		return result{Right, RuleItems}
	}
	if r.outcome == Wrong && c.options.Lists == ListsUnordered && c.grouped(gold, a, b) || r.outcome == Wrong && c.grouped(answer, b, a) {
		return result{Right, RuleExact}
	}
	return r
}

// meanings compares dates, Roman numerals, and texts that word a set.
func (c *checker) meanings(gold, answer string, a, b *node) (result, bool) {
	if c.options.Text == TextSynonyms || len(gold) > 200 || len(answer) > 200 {
		return result{}, false
	}
	for _, pair := range [...]struct {
		text  string
		other *node
	}{{gold, b}, {answer, a}} {
		if pair.other == nil || pair.other.kind != kNumber || len(pair.text) > 24 {
			continue
		}
		if value, ok := roman(pair.text); ok {
			return judged(pair.other.value.Equal(rat.Int(value)), RuleWords), true
		}
	}
	if !worded(gold) && !worded(answer) {
		return result{}, false
	}
	if x, ok := dateOf(gold); ok {
		if y, ok := dateOf(answer); ok {
			return judged(x == y, RuleWords), true
		}
	}
	x, y := phrase(gold, c.options), phrase(answer, c.options)
	switch {
	case x == nil && y == nil:
		return result{}, false
	case x == nil:
		x = a
	case y == nil:
		y = b
	}
	if x == nil || y == nil {
		return result{}, false
	}
	return c.same(x, y), true
}

// worded says whether a text holds a word: three letters in a row that are no command.
func worded(s string) bool {
	for i := 0; i < len(s); i++ {
		if !letterAt(s, i) {
			continue
		}
		start := i
		for letterAt(s, i) {
			i++
		}
		if i-start >= 3 && (start == 0 || s[start-1] != '\\' || strings.HasPrefix(s[start:], "text")) {
			return true
		}
	}
	return false
}

// alike says whether two texts are near enough in length to differ in layout only.
func alike(x, y string) bool { return len(x) <= 8*len(y)+512 && len(y) <= 8*len(x)+512 }

// wordy says whether a bare text is one word of letters. Two letters are a product, in which the case tells, but for no.
func wordy(s string) bool {
	if numeric(s) {
		return false
	}
	s = strings.TrimSpace(stripFonts(s))
	for i := range len(s) {
		if !letterAt(s, i) {
			return false
		}
	}
	return len(s) > 2 || strings.EqualFold(s, "no")
}

// inWords says whether a text holds a word, or is one but for marks at its end.
func inWords(s string) bool { return worded(s) || wordy(strings.TrimRight(s, " .,!")) }

// numeric says whether a text begins as a number, a fraction or a root, so that it is neither a letter nor a word.
func numeric(s string) bool {
	if len(s) < 2 {
		return s == "" || digitAt(s, 0)
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9' || c == '-' || c == '$' && digitAt(s, 1):
		return true
	case c == '\\':
		return strings.HasPrefix(s, "\\frac{") || strings.HasPrefix(s, "\\dfrac{") || strings.HasPrefix(s, "\\sqrt")
	}
	return false
}

// ungrouped says whether a number with commas between groups of three is a list (100,200,300), or a list with such a number in it
// is one of more items (10,20,300), and the list is the other side.
func (c *checker) ungrouped(text string, number, list *node) bool {
	if number.kind != kNumber && number.kind != kList || list.kind != kList && list.kind != kSet || len(text) > 200 || !strings.Contains(text, ",") {
		return false
	}
	items := &node{kind: kList}
	for _, item := range strings.Split(strings.TrimSpace(text), ",") {
		if item == "" || strings.Map(onlyDigits, item) != item || item[0] == '0' && item != "0" {
			return false
		}
		items.args = append(items.args, &node{kind: kNumber, value: parseInt(item)})
	}
	return len(items.args) == len(list.args) && c.same(items, list).outcome == Right
}

// grouped says whether a list is a number in the Indian grouping (12,34,567) or with a decimal comma after 0 (0,25), and the
// number is the other side.
func (c *checker) grouped(text string, list, other *node) bool {
	if list.kind != kList || len(text) > 64 {
		return false
	}
	wanted, ok := c.exact(c.peel(other).inner)
	if !ok {
		return false
	}
	groups := strings.Split(strings.TrimSpace(strings.Trim(strings.TrimSpace(text), "$")), ",")
	if whole := strings.TrimPrefix(groups[0], "-"); len(groups) == 2 && whole == "0" && groups[1] != "" && strings.Map(onlyDigits, groups[1]) == groups[1] {
		value := decimal(whole, groups[1])
		if len(whole) < len(groups[0]) {
			value = value.Neg()
		}
		return value.Equal(wanted)
	}
	if len(groups) < 3 || len(groups) > 8 {
		return false
	}
	digits, sign := "", int64(1)
	if rest, found := strings.CutPrefix(groups[0], "-"); found {
		groups[0], sign = rest, -1
	}
	for i, g := range groups {
		if g == "" || strings.Map(onlyDigits, g) != g {
			return false
		}
		if i > 0 && i < len(groups)-1 && len(g) != 2 || i == len(groups)-1 && len(g) != 3 || len(g) > 3 {
			return false
		}
		digits += g
	}
	return parseInt(digits).Mul(rat.Int(sign)).Equal(wanted)
}

// reducible says whether a tree holds a fraction of integers that is not in lowest terms.
func reducible(n *node) bool {
	return n.holds(func(m *node) bool {
		if m.kind != kDiv || m.args[0].kind != kNumber || m.args[1].kind != kNumber {
			return false
		}
		a, b := m.args[0].value, m.args[1].value
		if !a.IsInt() || !b.IsInt() || b.Sign() == 0 {
			return false
		}
		return a.Mul(b.Inv()).Denom().CmpAbs(b.Num()) != 0
	})
}

type choice struct {
	letter byte
	marked bool
}

// choiceOf reads an answer that is a letter of a multiple choice.
func choiceOf(text string) (choice, bool) {
	if len(text) > 200 || numeric(text) {
		return choice{}, false
	}
	letter, marked, ok := choiceLetter(text)
	if !ok || !marked && strings.IndexByte(text, letter) < 0 {
		return choice{}, false // a small letter is a variable
	}
	return choice{letter, marked}, true
}

// equalChoice compares letters.
func equalChoice(gold, answer string) Verdict {
	several, more := letterSet(gold), letterSet(answer)
	if len(several) > 1 || len(more) > 1 {
		if several == "" {
			several, _ = letterOf(gold)
		}
		if more == "" {
			more, _ = letterOf(answer)
		}
		if several != "" && more != "" {
			return conclude(judged(several == more, RuleLetter), several, more)
		}
	}
	x, ok := letterOf(gold)
	if !ok {
		return Verdict{Outcome: Unknown, Rule: RuleNoGold, Reason: "the gold answer is no letter", Gold: shorten(gold), Answer: shorten(answer)}
	}
	y, ok := letterOf(answer)
	if !ok {
		return Verdict{Outcome: Wrong, Rule: RuleNoAnswer, Reason: "the answer is no letter", Gold: x, Answer: shorten(answer)}
	}
	return conclude(judged(x == y, RuleLetter), x, y)
}

func letterOf(s string) (string, bool) {
	if letter, _, ok := choiceLetter(s); ok {
		return string(letter), true
	}
	letter, ok := extractChoice(stripFonts(s))
	return letter, ok
}

func conclude(r result, gold, answer string) Verdict {
	v := Verdict{Outcome: r.outcome, Rule: r.rule, Gold: gold, Answer: answer}
	switch r.outcome {
	case Wrong:
		v.Reason = r.rule + ": got " + answer + ", want " + gold
	case Unknown:
		v.Reason = r.rule + ": cannot compare " + answer + " with " + gold
	}
	return v
}

// shown is a tree's canonical form, and the text itself where there is no tree.
func (n *node) shown(c *checker, text string) string {
	if n == nil {
		return shorten(strings.TrimSpace(text))
	}
	return shorten(c.canonical(n, 0))
}

func shorten(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "..."
	}
	return s
}
