package engine

import (
	"math/bits"
	"time"
)

// stepCost estimates how long a step of so many rows takes, from those that were measured.
type stepCost struct {
	seconds [maxCostRows + 1]float64 // 0: not measured
	at      [maxCostRows + 1]int     // of which measurement it is
	highest int                      // most rows that were measured
	noted   int                      // measurements so far
	fixed   bool                     // nothing is measured any more
}

// maxCostRows is the most rows of which costs are kept: beyond it nothing is drafted.
const maxCostRows = 640

// note takes in a measurement. One that was disturbed counts as twice what was expected at most.
func (c *stepCost) note(rows int, took time.Duration) {
	if rows > maxCostRows || c.fixed {
		return
	}
	s := took.Seconds()
	if old := c.seconds[rows]; old != 0 {
		s = old + (min(s, 2*old)-old)/8
	}
	c.noted++
	c.seconds[rows], c.at[rows], c.highest = s, c.noted, max(c.highest, rows)
	// A measurement that was disturbed would keep its number of rows from being tried again.
	if c.noted%forgetAfter == 0 {
		c.forget()
	}
}

// forgetAfter is how many measurements later a number of rows that did not come again is forgotten.
const forgetAfter = 512

func (c *stepCost) forget() {
	highest := 0
	for rows, s := range c.seconds[:c.highest+1] {
		if s == 0 {
			continue
		}
		if c.noted-c.at[rows] >= forgetAfter {
			c.seconds[rows] = 0
			continue
		}
		highest = rows
	}
	c.highest = highest
}

// estimate interpolates between the nearest numbers of rows that were measured. Beyond the last one a row costs a twentieth of what
// was measured, and no more than a quarter of what a row cost there: optimistic, so that a draft is made and measured. It is 0 if nothing was.
func (c *stepCost) estimate(rows int) float64 {
	below, above := min(rows, c.highest), rows
	for below > 0 && c.seconds[below] == 0 {
		below--
	}
	for above <= c.highest && c.seconds[above] == 0 {
		above++
	}
	switch {
	case below == 0 && above > c.highest:
		return 0
	case below == 0:
		return c.seconds[above]
	case above > c.highest:
		return c.seconds[below] * (1 + float64(rows-below)/float64(max(20, 4*below)))
	case below == above:
		return c.seconds[below]
	}
	return c.seconds[below] + (c.seconds[above]-c.seconds[below])*float64(rows-below)/float64(above-below)
}

// mayPay reports whether any power of two of drafted rows, up to space, would be worth its cost if all of them came. Where a row costs what it costs in a
// large batch none is, and the texts need not be looked at.
func (c *stepCost) mayPay(decoding, space int) bool {
	base := c.estimate(decoding)
	if base == 0 {
		return false
	}
	for more := 1; more <= space; more *= 2 {
		if rows := decoding + more; float64(rows)*base > worthwhile*float64(decoding)*c.estimate(rows) {
			return true
		}
	}
	return false
}

// worthwhile is how many times faster than without its drafts a step must promise to be.
const worthwhile = 1.05

// draftAccount sees to it that drafts do not make decoding slower: of each second they may cost allowance more than they bring, and where that is used up none
// are made until there is some again. What estimates and guesses promise decides how long they are; what came of them decides whether there are any.
type draftAccount struct {
	balance [24]float64 // seconds, by the binary order of the number of samples
	drafted int         // steps with drafts since one without
}

const (
	// allowance is the share of the time that may be lost by drafts.
	allowance = 0.01
	// plainEvery is how often a step is made without drafts: it tells what they are compared with.
	plainEvery = 64
	// credit is how many steps' time may be lost that was won before: a text that repeated itself may stop.
	credit = 2
)

// allows reports whether drafts may be made for so many samples.
func (a *draftAccount) allows(decoding int) bool {
	return a.balance[bits.Len(uint(decoding))] > 0 && a.drafted < plainEvery
}

// note takes in a step of so many samples that brought so many tokens, where one without drafts takes base seconds.
func (a *draftAccount) note(decoding, tokens int, isDrafted bool, took time.Duration, base float64) {
	if base == 0 {
		return
	}
	balance := &a.balance[bits.Len(uint(decoding))]
	*balance += allowance * base
	if a.drafted++; !isDrafted {
		a.drafted = 0
	} else {
		*balance += base*float64(tokens)/float64(decoding) - took.Seconds()
	}
	*balance = min(*balance, credit*base)
}
