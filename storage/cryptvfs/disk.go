package cryptvfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// disk is what lies below: the operating system's files, or what a test puts in
// their place to cut the power.
type disk interface {
	// open opens a file for reading and writing, or for reading alone. With create
	// it makes it if there is none, for this user alone.
	open(path string, create, readOnly bool) (diskFile, error)
	rename(from, to string) error
	// remove deletes a file; fs.ErrNotExist if there is none.
	remove(path string) error
	// syncDir makes the names in the folder of path durable.
	syncDir(path string) error
	// size is a file's length in bytes; fs.ErrNotExist if there is none.
	size(path string) (int64, error)
}

type diskFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync returns when everything written is durable, the length included.
	Sync() error
	size() (int64, error)
	// moved reports whether path is not this file any more.
	moved(path string) bool
	// lock takes the file for this process; ErrLocked if another has it. It is
	// given back by Close.
	lock() error
}

// systemDisk is the operating system.
type systemDisk struct{}

type systemFile struct{ *os.File }

const fileMode = 0o600

func (systemDisk) open(path string, create, readOnly bool) (diskFile, error) {
	flag := os.O_RDWR
	if readOnly {
		flag = os.O_RDONLY
	}
	if create {
		flag |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

func (systemDisk) rename(from, to string) error { return os.Rename(from, to) }
func (systemDisk) remove(path string) error     { return os.Remove(path) }

func (systemDisk) size(path string) (int64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !fi.Mode().IsRegular() {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrInvalid}
	}
	return fi.Size(), nil
}

func (systemDisk) syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = d.Sync()
	if err != nil && canNotSync(err) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func (f systemFile) size() (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

func (f systemFile) moved(path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(path)
	return err != nil || !os.SameFile(mine, there)
}
