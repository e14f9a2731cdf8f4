//go:build !unix

package train

import "time"

// processorTime is what all threads of the process have used, or 0 where it cannot be told.
func processorTime() time.Duration { return 0 }
