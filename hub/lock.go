package hub

import (
	"context"
	"errors"
	"os"
	"time"
)

// acquire takes the lock of a file, which Hugging Face's tools take in the same
// way. It calls waiting once if somebody else has it. isOwn says that the file
// goes with the lock; then whoever waited finds another file in its place, and
// tries that.
func acquire(ctx context.Context, path string, isOwn bool, waiting func()) (release func(), err error) {
	for told := false; ; {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		taken, err := tryLock(file)
		if err == nil && taken && isSame(file, path) {
			return func() {
				if isOwn {
					os.Remove(path) // before the lock is gone; where an open file cannot be removed it stays
				}
				file.Close()
			}, nil
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		if !taken && !told {
			told = true
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// isSame says whether the opened file is still the one at path.
func isSame(file *os.File, path string) bool {
	a, errA := file.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
