//go:build !unix

package weights

import "time"

var processBegin = time.Now()

// processTime is the time since the process began.
func processTime() time.Duration { return time.Since(processBegin) }
