package lab

import (
	"math"
	"testing"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/task"
)

func TestBlindSearchWithFullPatienceIsBlind(t *testing.T) {
	odds := task.Odds{Attempts: 26, Solving: 2}
	if got, want := blindSearch(odds, []float64{1, 1, 1, 1, 1, 1, 1, 1, 0}), odds.Blind(8); math.Abs(got-want) > 1e-12 {
		t.Errorf("eight attempts find %v, want %v", got, want)
	}
	if got := blindSearch(odds, []float64{0.5, 0}); math.Abs(got-0.5*2/26) > 1e-12 {
		t.Errorf("an attempt half of the time finds %v", got)
	}
	if got := blindSearch(task.Odds{Attempts: 2, Solving: 1}, []float64{1, 1, 1, 1}); math.Abs(got-1) > 1e-12 {
		t.Errorf("more patience than attempts finds %v, want all", got)
	}
}

// TestPatienceByHand wants traces that end with "ok" to say nothing about
// giving up after that attempt.
func TestPatienceByHand(t *testing.T) {
	trace := func(claims ...behaviour.Claim) *behaviour.Trace {
		x := &behaviour.Trace{}
		for _, c := range claims {
			x.Attempts = append(x.Attempts, behaviour.Attempt{Claim: c})
		}
		return x
	}
	p := patience{most: 8}
	p.add(trace(behaviour.SaidOK))
	p.add(trace(behaviour.SaidNo))
	p.add(trace(behaviour.SaidNo, behaviour.SaidOK))
	p.add(trace(behaviour.SaidNo, behaviour.Unsaid))
	p.add(trace())
	want := []float64{4.0 / 5, 2.0 / 3, 0}
	got := p.shares()
	if len(got) != len(want) {
		t.Fatalf("patience %v, want %v", got, want)
	}
	for k := range want {
		if math.Abs(got[k]-want[k]) > 1e-12 {
			t.Errorf("after %d failures %v go on, want %v", k, got[k], want[k])
		}
	}
}
