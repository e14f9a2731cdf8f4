package train

import "errors"

// ErrDiverged is wrapped by the error of a run whose loss or gradient norm stopped being a finite
// number. The weights are those of the last good step; nothing of the bad step was applied.
var ErrDiverged = errors.New("train: diverged")

// ErrOtherRun is wrapped by the error of a resume from a checkpoint that another kind of run,
// other data or another instruction set wrote.
var ErrOtherRun = errors.New("train: the checkpoint belongs to another run")
