// Package explain knows every code that an error of the command carries: what
// it means, its usual causes, what to do, and an example.
//
// It does not decide which code an error has beyond what [With] said: that is
// for whoever knows the error's type.
//
// Invariants: a code is lower-case words joined by dashes, stands once in the
// table, and is never given another meaning.
package explain

import (
	"errors"
	"fmt"
	"slices"
)

// Entry is what is known of one code.
type Entry struct {
	Code    string   `json:"code"`
	Status  int      `json:"status"`  // the exit status that it usually comes with
	Meaning string   `json:"meaning"` // one sentence or two
	Causes  []string `json:"causes"`  // the usual ones, the likeliest first
	Do      []string `json:"do"`
	Example string   `json:"example"` // a command line and what it prints
}

// The codes of errors of which nothing more is known.
const (
	Failed  = "failed"
	Usage   = "usage"
	Stopped = "stopped"
)

// IsGeneral says whether a code tells no more than the exit status does.
func IsGeneral(code string) bool { return code == Failed || code == Usage || code == Stopped }

// Entries returns the table, sorted by code. It is the caller's.
func Entries() []Entry {
	all := slices.Concat(usageEntries, fileEntries, modelEntries, runEntries, networkEntries, otherEntries)
	slices.SortFunc(all, func(a, b Entry) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return all
}

// Find returns the entry of a code.
func Find(code string) (Entry, bool) {
	all := Entries()
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Code == code })
	if i < 0 {
		return Entry{}, false
	}
	return all[i], true
}

// coded is an error with a code.
type coded struct {
	code string
	err  error
}

func (e *coded) Error() string { return e.err.Error() }

func (e *coded) Unwrap() error { return e.err }

// With gives an error a code of the table; nil stays nil.
func With(code string, err error) error {
	if err == nil {
		return nil
	}
	return &coded{code, err}
}

// Errorf is With of a new error.
func Errorf(code, format string, arguments ...any) error {
	return &coded{code, fmt.Errorf(format, arguments...)}
}

// Code returns the code that With gave to err or to an error within it, or "". The innermost counts, which is the nearest to the cause.
func Code(err error) string {
	code := ""
	for c := (*coded)(nil); errors.As(err, &c); err = c.err {
		code = c.code
	}
	return code
}
