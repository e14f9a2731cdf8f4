// Package sandbox is: Runs a foreign program where it can do no harm, or refuses.
//
// The program is one Python process, alone in new user, mount, process, network, IPC, UTS and cgroup namespaces, behind a
// system call filter. It sees a read-only root that holds the interpreter, its standard library and the program's own
// files; a small scratch folder in memory; no network, no devices but /dev/null, no /proc, and no other process: it cannot
// make one either, only threads. It is killed from outside, and with it, as it is the first process of its namespace,
// whatever it left running.
//
// The package does not judge: what a program printed and how it ended is reported, and means nothing here. It holds no
// expected answer, so there is none to find inside.
//
// Invariants: it fails closed. Where a layer that it needs is missing (namespaces, a read-only root, dropped privileges,
// limits, the system call filter), nothing is run, and the error says what is missing. Landlock and a control group are
// further layers, used where the kernel grants them and named in Isolation. Nothing is written outside memory.
//
// The sandbox runs its own executable again as the first process of the namespaces. A program that uses it calls Init
// before anything else when IsInit says so.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Options say what to run programs with. The zero value uses the python3 of the search path.
type Options struct {
	Python string // path or name of the interpreter; "" is python3
}

// Limits bound one program. A field that is 0 has its default.
type Limits struct {
	CPU     time.Duration // processor time of all threads together; 6 s
	Wall    time.Duration // time by the clock; twice the processor time and one second
	Memory  int64         // bytes of address space; 1 GiB
	Output  int64         // bytes written to standard output, to standard error and to the channel, each; 16 MiB
	Disk    int64         // bytes in the scratch folder; 16 MiB
	Threads int           // threads at once; 64
}

// The defaults of Limits.
const (
	defaultCPU     = 6 * time.Second
	defaultMemory  = 1 << 30
	defaultOutput  = 16 << 20
	defaultDisk    = 16 << 20
	defaultThreads = 64
)

func (l Limits) withDefaults() (Limits, error) {
	if l.CPU < 0 || l.Wall < 0 || l.Memory < 0 || l.Output < 0 || l.Disk < 0 || l.Threads < 0 {
		return l, fmt.Errorf("sandbox: limits %+v: want none below 0", l)
	}
	if l.CPU == 0 {
		l.CPU = defaultCPU
	}
	if l.Wall == 0 {
		l.Wall = 2*l.CPU + time.Second
	}
	if l.Memory == 0 {
		l.Memory = defaultMemory
	}
	if l.Output == 0 {
		l.Output = defaultOutput
	}
	if l.Disk == 0 {
		l.Disk = defaultDisk
	}
	if l.Threads == 0 {
		l.Threads = defaultThreads
	}
	return l, nil
}

// Program is what to run: python3 /program/Main in the folder /scratch.
type Program struct {
	Files map[string]string // name without a slash to content; they lie in /program, and cannot be written
	Main  string            // one of them
	Stdin []byte            // standard input, a file that cannot be written; it may be opened as /dev/stdin, too

	// Serve is called with each line that the program writes to file descriptor 3, without its end, and what it returns is
	// written to what the program reads at file descriptor 4; nil writes nothing. It must not keep the line. It may be nil.
	Serve func(line []byte) []byte

	Limits Limits
}

// Ending is how a program ended.
type Ending uint8

// The endings.
const (
	Exited    Ending = iota // by itself, with a status that it chose
	Killed                  // by a signal: a crash, or memory that was refused it
	TimedOut                // by its time limits
	TooMuch                 // by its output limit
	Cancelled               // by the context
)

var endingNames = [...]string{Exited: "exited", Killed: "killed", TimedOut: "timed out", TooMuch: "wrote too much", Cancelled: "cancelled"}

// String returns the ending's name.
func (e Ending) String() string {
	if int(e) >= len(endingNames) {
		return fmt.Sprintf("ending(%d)", uint8(e))
	}
	return endingNames[e]
}

// Result is what a program did.
type Result struct {
	Ending Ending
	Status int // the exit status where Exited, the signal's number where Killed
	Stdout []byte
	Stderr []byte
	CPU    time.Duration // processor time, that of the preparation included (some milliseconds)
	Wall   time.Duration // from the program's start
}

// Layer is one part of the isolation.
type Layer struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Active   bool   `json:"active"`
	Detail   string `json:"detail,omitempty"`
}

// Isolation is what stands between a program and this machine.
type Isolation struct {
	Usable bool    `json:"usable"`
	Reason string  `json:"reason,omitempty"` // why not
	Python string  `json:"python,omitempty"` // path and version
	Layers []Layer `json:"layers,omitempty"`
}

// Sandbox runs programs; it is safe for concurrent use.
type Sandbox struct {
	options Options
	once    sync.Once
	python  python
	failure error
}

// New returns a sandbox. It touches nothing: what the machine lacks is the error of the first Run.
func New(o Options) *Sandbox { return &Sandbox{options: o} }

// ErrUnavailable is wrapped by the errors of Run that say what isolation or interpreter this machine lacks.
var ErrUnavailable = errors.New("sandbox unavailable")

func unavailable(format string, arguments ...any) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, fmt.Errorf(format, arguments...))
}

// Run runs a program to its end. An error means that it was not run, or not in isolation; how badly a program itself ended
// is no error. Where the context ends first, the program is killed and the ending is Cancelled.
func (s *Sandbox) Run(ctx context.Context, p Program) (Result, error) {
	result, _, err := s.run(ctx, p)
	return result, err
}

// Check runs a small program and reports the isolation that it had.
func (s *Sandbox) Check(ctx context.Context) Isolation {
	result, layers, err := s.run(ctx, Program{Files: map[string]string{"check.py": "print(6 * 7)"}, Main: "check.py"})
	report := Isolation{Layers: layers}
	if s.python.Executable != "" {
		report.Python = s.python.Executable + " (" + s.python.Version + ")"
	}
	switch {
	case err != nil:
		report.Reason = err.Error()
	case string(result.Stdout) != "42\n":
		report.Reason = fmt.Sprintf("a trial program %s with status %d: %.200s", result.Ending, result.Status, result.Stderr)
	default:
		report.Usable = true
	}
	return report
}

// initName is the name under which the executable is started as the first process of a sandbox.
const initName = "retort-sandbox-init"

// IsInit says whether this process was started as the first process of a sandbox.
func IsInit() bool { return len(os.Args) == 1 && os.Args[0] == initName }
