package sandbox

// rule allows one system call: always, or only where an argument has one of some values under a mask.
type rule struct {
	number   uint32
	argument int      // which argument is looked at, from 0
	mask     uint32   // of its lower half
	values   []uint32 // nil allows every call
}
