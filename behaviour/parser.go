package behaviour

import (
	"math"
	"strings"
)

// parser reads the words of a thought. An attempt is open from its first word with a digit or an equals sign.
type parser struct {
	trace   string
	numbers []int
	target  int64
	// equation, if not nil, is what proposals are judged by, in place of numbers and target.
	equation *Equation
	misfit   bool // the open attempt's proposal does not fit in 64 bits

	attempts   []Attempt
	open       bool
	unreadable bool    // a word of the open attempt is no operation
	pool       []int64 // numbers that the open attempt has not used
	current    Attempt
	reflecting bool // a "wait" has been read since the last attempt
	waitStart  int
}

// parseThought reads bytes [from,to) of the trace.
func (p *parser) parseThought(from, to int) {
	for at := from; at < to; {
		if isSpace(p.trace[at]) {
			if p.trace[at] == '\n' {
				p.close()
			}
			at++
			continue
		}
		end := at
		for end < to && !isSpace(p.trace[end]) {
			end++
		}
		p.word(at, end)
		at = end
	}
	p.close()
}

// word reads the word at bytes [start,end).
func (p *parser) word(start, end int) {
	word := strings.TrimRight(p.trace[start:end], ",.;:!?")
	if p.equation != nil {
		if x, fits, ok := parseProposal(word); ok {
			p.propose(x, fits, start, end)
			return
		}
	}
	if operation, fits, ok := parseOperation(word); ok {
		p.begin(start)
		p.use(operation, fits, end)
		return
	}
	switch {
	case strings.EqualFold(word, "ok"):
		p.claim(SaidOK, end)
	case strings.EqualFold(word, "no"):
		p.claim(SaidNo, end)
	case strings.EqualFold(word, "wait"):
		p.close()
		if !p.reflecting {
			p.reflecting, p.waitStart = true, start
		}
	case strings.ContainsAny(word, "0123456789="):
		p.begin(start)
		p.unreadable = true
	}
}

// begin opens an attempt if none is open.
func (p *parser) begin(start int) {
	if p.open {
		return
	}
	p.open, p.unreadable, p.misfit = true, false, false
	p.current = Attempt{Start: start}
	if p.reflecting {
		p.current.Start = p.waitStart
	}
	p.pool = p.pool[:0]
	for _, n := range p.numbers {
		p.pool = append(p.pool, int64(n))
	}
}

// use adds an operation to the open attempt, taking its operands out of the pool and putting its result in. The pool
// never grows: an illegal operation has no result to go on with.
func (p *parser) use(operation Operation, fits bool, end int) {
	if fits {
		left, right := p.take(operation.Left), p.take(operation.Right)
		operation.Legal = left && right
	}
	if operation.Legal {
		p.pool = append(p.pool, operation.Result)
	}
	p.current.Operations = append(p.current.Operations, operation)
	p.current.End = end
}

// take removes n from the pool and says whether it was there.
func (p *parser) take(n int64) bool {
	for i, have := range p.pool {
		if have == n {
			last := len(p.pool) - 1
			p.pool[i] = p.pool[last]
			p.pool = p.pool[:last]
			return true
		}
	}
	return false
}

// claim ends the open attempt with a verdict. A verdict without an attempt is not one.
func (p *parser) claim(c Claim, end int) {
	if !p.open {
		return
	}
	p.current.Claim = c
	if len(p.current.Operations) > 0 || p.current.Proposed {
		p.current.End = end
	}
	p.close()
}

// close ends the open attempt. One without a readable operation is none.
func (p *parser) close() {
	if !p.open {
		return
	}
	p.open = false
	if p.equation != nil {
		p.closeProposal()
		return
	}
	a := &p.current
	if len(a.Operations) == 0 {
		return
	}
	a.Legal, a.True = !p.unreadable && len(p.pool) == 1, true
	for _, operation := range a.Operations {
		a.Legal = a.Legal && operation.Legal
		a.True = a.True && operation.True
	}
	a.Result = a.Operations[len(a.Operations)-1].Result
	a.Solves = a.Legal && a.True && a.Result == p.target
	p.keep()
}

// keep adds the attempt that has ended.
func (p *parser) keep() {
	a := &p.current
	a.Reflection = p.reflecting && len(p.attempts) > 0
	p.reflecting = false
	p.attempts = append(p.attempts, *a)
}

// parseOperation reads a word of the form "3+7=10"; each number may have a minus sign. If a number does not fit in
// 64 bits, fits is false and the operation has its operator only.
func parseOperation(word string) (operation Operation, fits, ok bool) {
	left, rest, leftFits, ok := parseNumber(word)
	if !ok || rest == "" || strings.IndexByte("+-*/", rest[0]) < 0 {
		return Operation{}, false, false
	}
	operation.Operator = rest[0]
	right, rest, rightFits, ok := parseNumber(rest[1:])
	if !ok || rest == "" || rest[0] != '=' {
		return Operation{}, false, false
	}
	result, rest, resultFits, ok := parseNumber(rest[1:])
	if !ok || rest != "" {
		return Operation{}, false, false
	}
	fits = leftFits && rightFits && resultFits
	if fits {
		operation.Left, operation.Right, operation.Result = left, right, result
		operation.True = isTrue(operation)
	}
	return operation, fits, true
}

// parseNumber reads an integer at the beginning of text; fits is false if it does not fit in 64 bits.
func parseNumber(text string) (n int64, rest string, fits, ok bool) {
	digits := strings.TrimPrefix(text, "-")
	negative := len(digits) < len(text)
	fits = true
	i := 0
	for ; i < len(digits) && digits[i] >= '0' && digits[i] <= '9'; i++ {
		digit := int64(digits[i] - '0')
		if n > (math.MaxInt64-digit)/10 {
			fits = false
			n = 0
		}
		n = n*10 + digit
	}
	if negative {
		n = -n
	}
	return n, digits[i:], fits, i > 0
}

// isTrue says whether the operation's result is right; what overflows is not.
func isTrue(o Operation) bool {
	var value int64
	ok := true
	switch o.Operator {
	case '+':
		value, ok = addInt(o.Left, o.Right)
	case '-':
		value, ok = subtractInt(o.Left, o.Right)
	case '*':
		value, ok = multiplyInt(o.Left, o.Right)
	case '/':
		ok = o.Right != 0 && o.Right != -1 && o.Left%o.Right == 0 || o.Right == -1 && o.Left != math.MinInt64
		if ok {
			value = o.Left / o.Right
		}
	}
	return ok && value == o.Result
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }
