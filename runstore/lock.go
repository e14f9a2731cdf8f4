package runstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The lock is the operating system's, on the file "lock", so that it ends with
// its process however that ends. The file holds the process's number, for
// people and error messages only; it is emptied when the run is let go.

// lockPatience covers a reader that tests the lock at the same moment.
const lockPatience = 200 * time.Millisecond

// takeLock locks the run or returns a *LockedError.
func takeLock(dir string) (lock *os.File, warnings []string, err error) {
	lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("runstore: %s: lock: %w", dir, err)
	}
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		isTaken, err := tryLock(lock, true)
		if err != nil {
			return nil, nil, fmt.Errorf("runstore: %s: lock: %w", dir, errors.Join(err, lock.Close()))
		}
		if isTaken {
			break
		}
		if time.Since(begin) > lockPatience {
			pid := readPID(lock)
			lock.Close()
			return nil, nil, &LockedError{Dir: dir, PID: pid}
		}
	}
	if dead := readPID(lock); dead != 0 {
		warnings = append(warnings, fmt.Sprintf("lock: taken over from process %d, which ended without letting go", dead))
	}
	err = lock.Truncate(0)
	if err == nil {
		_, err = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("runstore: %s: lock: %w", dir, errors.Join(err, lock.Close()))
	}
	return lock, warnings, nil
}

// releaseLock empties and unlocks; closing ends the lock.
func releaseLock(lock *os.File) error {
	return errors.Join(lock.Truncate(0), lock.Close())
}

func readPID(lock *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(lock, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// isHeld says whether a process holds the run.
func isHeld(dir string) (bool, error) {
	lock, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	isFree, err := tryLock(lock, false)
	return !isFree, errors.Join(err, lock.Close())
}
