package runstore

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset lies far behind the process's number, because a locked byte
// cannot be read by others.
const lockOffset = 1 << 30

// tryLock takes the lock, alone or beside other readers, unless it is taken.
func tryLock(file *os.File, isExclusive bool) (bool, error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if isExclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	place := windows.Overlapped{Offset: lockOffset}
	err := windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, &place)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
