package behaviour

import (
	"errors"
	"strings"
)

const (
	openThink   = "<think>"
	closeThink  = "</think>"
	openAnswer  = "<answer>"
	closeAnswer = "</answer>"
)

// GiveUp is the answer of a trace that gives up.
const GiveUp = "none"

// Split returns the thought of a completion, without its tags, and the one answer after the thought, without
// surrounding spaces. The error says why there is no answer; the thought is returned all the same.
func Split(completion string) (thought, answer string, err error) {
	thought, rest, closed := strings.Cut(strings.TrimPrefix(completion, openThink), closeThink)
	if !closed {
		return thought, "", errors.New("the thought does not end")
	}
	_, rest, opened := strings.Cut(rest, openAnswer)
	if !opened {
		return thought, "", errors.New("no answer after the thought")
	}
	answer, rest, closed = strings.Cut(rest, closeAnswer)
	if !closed {
		return thought, "", errors.New("the answer does not end")
	}
	if strings.Contains(answer, openAnswer) || strings.Contains(rest, openAnswer) {
		return thought, "", errors.New("more than one answer")
	}
	return thought, strings.TrimSpace(answer), nil
}
