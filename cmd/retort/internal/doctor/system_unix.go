//go:build unix

package doctor

import (
	"math"

	"golang.org/x/sys/unix"
)

// hasModes says whether the bits of a file's mode say who may do what.
const hasModes = true

// freeBytes is how much a user may still write to the disk of a folder.
func freeBytes(folder string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	blocks, size := uint64(s.Bavail), uint64(s.Bsize)
	if size > 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64, nil
	}
	return int64(blocks * size), nil
}

// FileLimit is how many files this process may have open at once.
func FileLimit() (soft uint64, ok bool) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err == nil
}
