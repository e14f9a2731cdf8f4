//go:build unix

package doctor

import "golang.org/x/sys/unix"

// hasModes says whether the bits of a file's mode say who may do what.
const hasModes = true

// FileLimit is how many files this process may have open at once.
func FileLimit() (soft uint64, ok bool) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err == nil
}
