package verify

import (
	"strings"
	"testing"
	"time"
)

// TestLinear looks for work that grows with the square of inputs made of one piece, over and over: 20,000 bytes take a few milliseconds, and then many seconds.
func TestLinear(t *testing.T) {
	for _, piece := range []string{
		"\\text{", "\\boxed{", "^{", "_{", "{", "(", "[", "|", "\\frac{1}{", "\\sqrt{", "\\left(", "1+", "1,", "x^", "-", "\\{", "$", "\\(", "\\[", "$$",
		"answer is ", "answer: ", "####", "\\begin{pmatrix}", "\\\\", "&", "!", "'", "\\text{a}", "\\overline{", "1.\\overline{", "1,234,", "1,\\!",
		"a ", "and ", "<think>", "</think>", "<|", "```", "Error: ", "x=", "x<", "1:", "%", "\\pm ", "\\cup ", "f(", "\\sin ", "sin(", "9", "0.9",
		"\\boxed{1} and ", "$1$ and ", "\\boxed{", "}{", "**", "\\mathrm{", "1e9", "2^{2", "²", "½", "π", "a_", "\\operatorname{", "5 cm ", "((", "box",
		"\\mod 7", "\\choose ", "\\over ", "x!", "\\binom{2}{", "\\sum_{k=1}^{9}", "1/", "\\log_", "e^{i", "\\boxed{\\text{", "\\text{1", "\n\n", ". A",
	} {
		text := strings.Repeat(piece, 20_000/len(piece))
		for _, gold := range []string{"1", "1,2,3"} {
			if took := fastest(2, func() { Check(gold, text, Options{}) }); took > 2*time.Second {
				t.Errorf("%q against %s: %v", piece, gold, took)
			}
		}
	}
}
