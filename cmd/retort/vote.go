package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/verify"
)

// ballot counts answers that say the same.
type ballot struct {
	groups  []voteGroup // in the order of their first answers
	without int         // replies without an answer
	open    int         // replies still to come
}

// voteGroup is the answers that say the same.
type voteGroup struct {
	answer string // what is compared: a number, an expression
	text   string // the first whole answer
	votes  int
	right  bool
}

// add counts a whole answer.
func (b *ballot) add(text string, right bool) {
	b.open--
	answer, ok := verify.Extract(text, verify.Options{})
	if !ok {
		answer = strings.TrimSpace(text)
	}
	if answer == "" {
		b.without++
		return
	}
	for i := range b.groups {
		g := &b.groups[i]
		if g.answer == answer || verify.Equal(g.answer, answer, verify.Options{}).Outcome == verify.Right {
			g.votes++
			return
		}
	}
	b.groups = append(b.groups, voteGroup{answer: answer, text: text, votes: 1, right: right})
}

// leaders returns the groups by their votes, the earlier of equals first.
func (b *ballot) leaders() []voteGroup {
	list := slices.Clone(b.groups)
	slices.SortStableFunc(list, func(x, y voteGroup) int { return y.votes - x.votes })
	return list
}

// settled reports whether no reply to come can change who leads.
func (b *ballot) settled() bool {
	list := b.leaders()
	if len(list) == 0 {
		return b.open == 0
	}
	second := 0
	if len(list) > 1 {
		second = list[1].votes
	}
	return list[0].votes > second+b.open
}

// line is the tally so far.
func (b *ballot) line() string {
	var parts []string
	for _, g := range b.leaders() {
		if len(parts) == 4 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%d× %s", g.votes, oneLine(shorten(g.answer, 24))))
	}
	if b.without > 0 {
		parts = append(parts, fmt.Sprintf("%d without an answer", b.without))
	}
	return fmt.Sprintf("%d to come: %s", b.open, strings.Join(parts, ", "))
}

func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// tally is the --json form of a vote.
type tally struct {
	Question string       `json:"question"`
	Votes    []tallyGroup `json:"votes"`
	Without  int          `json:"without_answer"`
	Settled  bool         `json:"settled"` // before all replies had come
}

type tallyGroup struct {
	Answer string `json:"answer"`
	Votes  int    `json:"votes"`
}

// vote draws several replies, shows how they vote, and returns the answer that leads.
func (t *talk) vote(q *turn, job *engine.Job, cancel func(), keys *keyboard) (string, error) {
	b := &ballot{open: t.set.Samples}
	quiet := *t.out
	quiet.json = true // the views collect, and print nothing
	views := make([]*replyView, t.set.Samples)
	for i := range views {
		views[i] = newReplyView(t.speaker.tokenizer, &q.prompt, &quiet)
	}
	settled := false
	var failed error
	keys.watch(job, func(u engine.Update) {
		if q.first == 0 {
			q.first = time.Since(q.begin)
		}
		for _, token := range u.Tokens {
			views[u.Sample].push(token)
		}
		if u.Finish == "" || u.Finish == engine.FinishCancelled || settled {
			return
		}
		views[u.Sample].end()
		r := t.reply(q, &engine.Result{Sample: u.Sample, Finish: u.Finish, Thought: u.Thought}, views[u.Sample])
		r.Usage.Reply = views[u.Sample].tokens
		failed = t.out.event("reply", r)
		b.add(r.Content, r.Verdict == "right")
		if t.out.terminal {
			t.out.redraw(b.line())
		}
		if settled = t.set.Vote && b.open > 0 && b.settled(); settled || failed != nil {
			cancel()
		}
	}, func() { q.stopped = true; cancel() })
	if _, err := job.Wait(); err != nil && !q.stopped && !settled && failed == nil {
		return "", err
	}
	if failed != nil {
		return "", failed
	}
	return t.announce(q, b, settled)
}

// announce prints the end of a vote and returns the answer that leads.
func (t *talk) announce(q *turn, b *ballot, settled bool) (string, error) {
	end := tally{Question: q.question, Votes: []tallyGroup{}, Without: b.without, Settled: settled}
	list := b.leaders()
	for _, g := range list {
		end.Votes = append(end.Votes, tallyGroup{g.answer, g.votes})
		mark := ""
		if g.right {
			mark = "  right"
		}
		t.out.result("%4d  %s%s", g.votes, oneLine(g.answer), mark)
	}
	if b.without > 0 {
		t.out.result("%4d  without an answer", b.without)
	}
	if settled {
		t.out.note("the vote was settled with %d replies to come", b.open)
	}
	answer := ""
	if len(list) > 0 {
		answer = list[0].text
	}
	return answer, t.out.event("vote", end)
}
