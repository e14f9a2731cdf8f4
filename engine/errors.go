package engine

import "fmt"

// RequestError reports a request that the engine cannot serve. Nothing was generated for any
// request of the call.
type RequestError struct {
	// Request is the index of the refused request in the call.
	Request int
	// Reason says what is wrong with it, and where it helps, what to change.
	Reason string
}

// Error returns one line.
func (e *RequestError) Error() string {
	return fmt.Sprintf("engine: request %d: %s", e.Request, e.Reason)
}
