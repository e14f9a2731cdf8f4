package doctor

import "golang.org/x/sys/windows"

// hasModes says whether the bits of a file's mode say who may do what.
const hasModes = false

// freeBytes is how much a user may still write to the disk of a folder.
func freeBytes(folder string) (int64, error) {
	path, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return int64(min(free, 1<<62)), err
}

// FileLimit is how many files this process may have open at once.
func FileLimit() (soft uint64, ok bool) { return 0, false }
