//go:build unix

package train

import (
	"syscall"
	"time"
)

// processorTime is what all threads of the process have used, or 0 where it cannot be told.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
