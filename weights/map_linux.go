package weights

import "golang.org/x/sys/unix"

// populate has the pages of data, which begin on a page, mapped at once, which costs a fraction of a fault for each.
func populate(pages []byte) {
	_ = unix.Madvise(pages, unix.MADV_POPULATE_READ) // advice: an older Linux does not know it
}

// adviseLarge asks for large pages under a mapped file, and has what is read from the disk for it put into such.
func adviseLarge(file []byte) {
	if len(file) > 0 {
		_ = unix.Madvise(file, unix.MADV_HUGEPAGE) // advice: a system without large pages refuses it
	}
}
