// Package doctor looks at a machine and an installation, and says what is wrong
// and what to do.
//
// It mends nothing, and writes nothing but a file in each folder that Retort
// writes, which it removes at once. It connects to nothing but the address that
// a server would listen at.
//
// Invariants: a check says something whatever it finds, and nothing that a
// check finds ends the others; what the machine does not tell is a note, never
// a fault.
package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/retort-ml/retort/hub"
)

// Status is how bad a finding is.
type Status string

// The statuses, the worst last. Only a fault fails.
const (
	OK      Status = "ok"
	Note    Status = "note" // nothing is wrong, or nothing can be said
	Warning Status = "warning"
	Fault   Status = "fault"
)

// Finding is a line about a check.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`        // one line
	Do     string `json:"do,omitempty"` // what helps
}

// Place is what is looked at. The zero value of a field means that there is nothing to look at, unless it says otherwise.
type Place struct {
	Root     string                                            // before /proc and /sys
	Lookup   func(name string) (string, bool)                  // the environment; nil is an empty one
	Names    []string                                          // of the variables that are set
	Known    func(variable string) (near string, isKnown bool) // of the variables that begin with RETORT_
	Now      time.Time                                         // zero is the present
	Built    time.Time                                         // of the program
	Threads  int                                               // that would compute
	Pause    func(ctx context.Context)                         // between two looks at the processors; nil waits a third of a second
	Files    func() (soft uint64, ok bool)                     // how many files may be open at once
	Hub      hub.Options
	Packed   string                                                    // the folder of packed copies of weights
	Runs     string                                                    // the folder of runs
	Folders  map[string]string                                         // other folders that are written, by what they hold
	Settings string                                                    // the file of settings that was read
	Fault    error                                                     // of the settings
	Listen   string                                                    // the address of a server
	KeyFiles []string                                                  // files that hold keys
	Program  func(ctx context.Context, level string) (SelfTest, error) // runs the program's self-test on an instruction set
	Sandbox  func(ctx context.Context) (isUsable bool, reason string)
	Deep     bool // read every byte of models and checkpoints
}

// check looks at one thing. It returns at least one finding.
type check struct {
	name string
	look func(ctx context.Context, p *Place) []Finding
}

// checks are made in this order.
var checks = []check{
	{"processor", processor}, {"kernels", kernels}, {"cores", cores}, {"neighbours", neighbours}, {"memory", memory}, {"large-pages", largePages},
	{"open-files", openFiles}, {"clock", clock},
	{"disk", disk}, {"folders", folders}, {"downloads", downloads}, {"links", links}, {"models", models}, {"packed", packed}, {"runs", runs},
	{"settings", settingsFile}, {"variables", variables}, {"token", token}, {"endpoint", endpoint}, {"keys", keys}, {"port", port}, {"sandbox", sandbox},
}

// Names returns the names of the checks in their order.
func Names() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

// Look makes the checks, tells each finding as it is made, and returns how many are of each status. It stops with ctx.
func Look(ctx context.Context, p *Place, tell func(Finding)) (map[Status]int, error) {
	count := map[Status]int{}
	for _, c := range checks {
		if err := ctx.Err(); err != nil {
			return count, err
		}
		for _, f := range c.look(ctx, p) {
			f.Check = c.name
			f.Found, f.Do = plain(f.Found), plain(f.Do)
			count[f.Status]++
			tell(f)
		}
	}
	return count, ctx.Err()
}

// plain is a text on one line.
func plain(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == 0x1b || r == 0 }), " ")
}

// one is the findings of a check that has one.
func one(status Status, do, format string, arguments ...any) []Finding {
	return []Finding{{Status: status, Found: fmt.Sprintf(format, arguments...), Do: do}}
}

// orOK is what was found, or that nothing was.
func orOK(found []Finding, format string, arguments ...any) []Finding {
	if len(found) > 0 {
		return found
	}
	return one(OK, "", format, arguments...)
}

// most is how many findings of one kind a check tells one by one.
const most = 8

// short cuts a long list of findings.
func short(found []Finding) []Finding {
	if len(found) <= most {
		return found
	}
	left := len(found) - most
	worst := Note
	for _, f := range found[most:] {
		if f.Status == Fault || worst != Fault && f.Status == Warning {
			worst = f.Status
		}
	}
	return append(found[:most:most], Finding{Status: worst, Found: fmt.Sprintf("and %d more", left)})
}

func (p *Place) variable(name string) string {
	if p.Lookup == nil {
		return ""
	}
	if text, ok := p.Lookup(name); ok {
		return text
	}
	return ""
}

func (p *Place) now() time.Time {
	if p.Now.IsZero() {
		return time.Now()
	}
	return p.Now
}

// system is the path of a file of the kernel.
func (p *Place) system(path string) string { return filepath.Join("/", p.Root, path) }

// size writes a number of bytes.
func size(n int64) string {
	x := float64(n)
	for _, unit := range []string{"bytes", "KiB", "MiB", "GiB"} {
		if x < 1024 {
			return fmt.Sprintf("%.3g %s", x, unit)
		}
		x /= 1024
	}
	return fmt.Sprintf("%.3g TiB", x)
}
