//go:build !unix

package model

import "io/fs"

// isOwn takes the folder's protection for the file's.
func isOwn(fs.FileInfo) bool { return true }
