package behaviour

// maxPositions bounds the positions that Totals tells apart; later attempts count at the last one.
const maxPositions = 64

// Position counts the attempts at one place of their traces.
type Position struct {
	Attempts int // attempts at this position
	Solving  int // of them, those that solve the problem
	SaidOK   int
	SaidNo   int
	FalseOK  int // said to solve the problem, and do not
	FalseNo  int // said not to solve the problem, and do
}

// Totals sums traces up. The zero value is empty.
type Totals struct {
	Traces         int
	Right          int // right answers
	GaveUp         int
	Unanswered     int // traces without exactly one answer
	Attempts       int
	Reflections    int
	Operations     int
	TrueOperations int
	FalseOK        int
	FalseNo        int
	Converted      int
	Keywords       Keywords
	Positions      []Position // by position in the trace, from the first attempt on
	ByAttempts     []int      // traces by their number of attempts, from 0 on
}

// Add counts one trace.
func (t *Totals) Add(trace Trace) {
	count := func(sum *int, is bool) {
		if is {
			*sum++
		}
	}
	t.Traces++
	count(&t.Right, trace.Right)
	count(&t.GaveUp, trace.GaveUp)
	count(&t.Unanswered, !trace.Answered)
	count(&t.Converted, trace.Converted)
	t.Attempts += len(trace.Attempts)
	t.Reflections += trace.Reflections
	t.FalseOK += trace.FalseOK
	t.FalseNo += trace.FalseNo
	for i, n := range trace.Keywords {
		t.Keywords[i] += n
	}
	bin := min(len(trace.Attempts), maxPositions)
	for len(t.ByAttempts) <= bin {
		t.ByAttempts = append(t.ByAttempts, 0)
	}
	t.ByAttempts[bin]++
	for i := range trace.Attempts {
		a := &trace.Attempts[i]
		t.Operations += len(a.Operations)
		for _, operation := range a.Operations {
			count(&t.TrueOperations, operation.True)
		}
		at := min(i, maxPositions-1)
		if at == len(t.Positions) {
			t.Positions = append(t.Positions, Position{})
		}
		p := &t.Positions[at]
		p.Attempts++
		count(&p.Solving, a.Solves)
		count(&p.SaidOK, a.Claim == SaidOK)
		count(&p.SaidNo, a.Claim == SaidNo)
		count(&p.FalseOK, a.Claim == SaidOK && !a.Solves)
		count(&p.FalseNo, a.Claim == SaidNo && a.Solves)
	}
}

// Verdicts returns the verdicts said on all attempts and how many of them were untrue.
func (t *Totals) Verdicts() (said, untrue int) {
	for _, p := range t.Positions {
		said += p.SaidOK + p.SaidNo
		untrue += p.FalseOK + p.FalseNo
	}
	return said, untrue
}
