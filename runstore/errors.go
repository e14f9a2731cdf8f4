package runstore

import (
	"errors"
	"fmt"
)

// ErrExists says that the folder given to Create already holds a run.
var ErrExists = errors.New("the folder already holds a run")

// LockedError says that another process writes the run.
type LockedError struct {
	Dir string // the run's folder
	PID int    // the process, 0 when it could not be read
}

// Error names the run and the process.
func (e *LockedError) Error() string {
	return fmt.Sprintf("runstore: %s: process %d holds the run; stop it, or wait for its end", e.Dir, e.PID)
}

// InexactError says that a run was made by other machine code than this, so
// that going on with it would not give the bits of an uninterrupted run.
type InexactError struct {
	What string // "build" or "level"
	Got  string // this process
	Want string // the run's manifest
}

// Error names what differs.
func (e *InexactError) Error() string {
	return fmt.Sprintf("runstore: %s: got %q, the run was made with %q: the same bits cannot be promised", e.What, e.Got, e.Want)
}
