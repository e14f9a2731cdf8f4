package verify

import (
	"strings"
	"testing"
	"time"
)

// seeds gives a fuzz target the kit and some pieces of LaTeX.
func seeds(f *testing.F, add func(gold, answer string)) {
	for _, path := range kitFiles(f) {
		for _, c := range readKit(f, path) {
			add(c.gold, c.answer)
		}
	}
	add("\\begin{pmatrix}1&\\frac{2}{3}\\\\x&y\\end{pmatrix}", "\\left\\{x:|x|<3\\right\\}\\cup]1,2[")
	add("\\sum_{k=1}^{9}\\binom{9}{k}!", "\\sqrt[3]{2}^{2^{2}}\\pm\\log_{2}\\sin^{-1}x\\%")
}

// tooLong is more than the 20 ms of a check on a machine that does nothing else, for one that is shared or slow.
const tooLong = 300 * time.Millisecond

func FuzzCheck(f *testing.F) {
	seeds(f, func(gold, answer string) { f.Add(gold, answer, uint16(0)) })
	f.Fuzz(func(t *testing.T, gold, answer string, options uint16) {
		o := fuzzOptions(options)
		start := time.Now()
		v := Check(gold, answer, o)
		if took := time.Since(start); took > tooLong {
			if took = fastest(5, func() { Check(gold, answer, o) }); took > tooLong/2 {
				t.Fatalf("took %v of processor time", took)
			}
		}
		if w := Check(gold, answer, o); v != w {
			t.Fatalf("first %v, then %v", v, w)
		}
		if v.Outcome != Right && v.Reason == "" {
			t.Fatalf("%v without a reason", v)
		}
	})
}

// FuzzEqual is about bare answers: an answer equals itself, and the sides can be swapped.
func FuzzEqual(f *testing.F) {
	seeds(f, func(gold, answer string) { f.Add(gold, answer) })
	f.Fuzz(func(t *testing.T, gold, answer string) {
		o := Options{}
		if v := Equal(gold, gold, o); v.Outcome != Right && len(gold) < 1000 && v.Outcome != Unknown {
			a, why := parse(gold, &o)
			if why == failNone && a.kind != kText {
				t.Fatalf("%q is not itself: %v", gold, v)
			}
		}
		v, w := Equal(gold, answer, o), Equal(answer, gold, o)
		if v.Outcome != w.Outcome && v.Outcome != Unknown && w.Outcome != Unknown {
			t.Fatalf("%q against %q: %v, swapped %v", gold, answer, v, w)
		}
	})
}

func FuzzExtract(f *testing.F) {
	seeds(f, func(gold, answer string) { f.Add(answer, uint16(0)) })
	f.Add("The an"+strings.Repeat("\xa5", 5000), uint16(122)) // too long for an answer
	f.Fuzz(func(t *testing.T, text string, options uint16) {
		o := fuzzOptions(options)
		start := time.Now()
		answer, ok := Extract(text, o)
		if took := time.Since(start); took > tooLong && fastest(5, func() { Extract(text, o) }) > tooLong/2 {
			t.Fatalf("took %v", took)
		}
		if ok && answer == "" || !ok && answer != "" && !o.Choice {
			t.Fatalf("got %q, %v", answer, ok)
		}
	})
}

// fuzzOptions makes options of bits.
func fuzzOptions(bits uint16) Options {
	pick := func(shift int, values ...string) string { return values[int(bits>>shift)&3] }
	return Options{
		Choice: bits&1 != 0, Decimals: pick(1, "", DecimalsRounded, DecimalsLoose, ""), Percent: pick(3, "", PercentEither, "", ""),
		Lists: pick(5, "", ListsOrdered, "", ""), Names: pick(7, "", NamesAny, "", ""), Boxes: pick(9, "", BoxesJoin, BoxesLast, ""),
		Degrees: pick(11, "", DegreesAngle, "", ""), Spaces: pick(13, "", SpacesList, "", ""),
	}
}
