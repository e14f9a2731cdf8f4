package doctor

// hasModes says whether the bits of a file's mode say who may do what.
const hasModes = false

// FileLimit is how many files this process may have open at once.
func FileLimit() (soft uint64, ok bool) { return 0, false }
