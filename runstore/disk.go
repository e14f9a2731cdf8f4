package runstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// disk holds the calls that a full, broken or read-only disk makes fail, so
// that the tests can make each of them fail.
type disk struct {
	create   func(path string) (*os.File, error) // new or emptied
	mkdir    func(path string) error             // with the folders above
	writeAt  func(file *os.File, text []byte, offset int64) error
	sync     func(file *os.File) error
	truncate func(file *os.File, length int64) error
	rename   func(from, to string) error
	remove   func(path string) error // with everything below; absence is no error
}

func plainDisk() disk {
	return disk{
		create: os.Create,
		mkdir:  func(path string) error { return os.MkdirAll(path, 0o755) },
		writeAt: func(file *os.File, text []byte, offset int64) error {
			_, err := file.WriteAt(text, offset)
			return err
		},
		sync:     (*os.File).Sync,
		truncate: (*os.File).Truncate,
		rename:   os.Rename,
		remove:   os.RemoveAll,
	}
}

// makeFolders makes folders, each below the one before, and makes them last.
func (d disk) makeFolders(paths ...string) error {
	for _, path := range paths {
		if err := d.mkdir(path); err != nil {
			return err
		}
		if err := d.syncFolder(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile puts a whole file in place of path. After a crash or an error
// path is as before or as wanted.
func (d disk) replaceFile(path string, text []byte) error {
	temporary := path + ".tmp"
	err := d.writeFile(temporary, text)
	if err == nil {
		err = d.rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, d.remove(temporary))
	}
	return d.syncFolder(filepath.Dir(path))
}

func (d disk) writeFile(path string, text []byte) error {
	file, err := d.create(path)
	if err != nil {
		return err
	}
	err = d.writeAt(file, text, 0)
	if err == nil {
		err = d.sync(file)
	}
	return errors.Join(err, file.Close())
}

// syncFolder makes the names in a folder last. Windows has no such call.
func (d disk) syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.sync(folder), folder.Close())
}

// syncTree syncs every file and folder below root and lists the files, in the
// order of their names. Anything but plain files and folders is an error.
func (d disk) syncTree(root string) ([]markedFile, error) {
	var files []markedFile
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return d.syncFolder(path)
		}
		if !entry.Type().IsRegular() {
			return &fs.PathError{Op: "checkpoint", Path: path, Err: errors.New("not a plain file")}
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		// Windows syncs only what is open for writing.
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		digest, length, err := digestReader(file)
		if err == nil {
			err = d.sync(file)
		}
		files = append(files, markedFile{Name: filepath.ToSlash(name), Bytes: length, SHA256: digest})
		return errors.Join(err, file.Close())
	})
	return files, err
}

func compact(text json.RawMessage) (json.RawMessage, error) {
	var buffer bytes.Buffer
	err := json.Compact(&buffer, text)
	return buffer.Bytes(), err
}
