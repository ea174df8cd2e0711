package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// maxLog is how large the log may become in bytes before it is put aside; one
// older file is kept beside it.
const maxLog = 1 << 20

// logWriter is a file that never grows beyond maxLog. A log that cannot be
// written must not stop a messenger: such errors are dropped.
type logWriter struct {
	mu   sync.Mutex
	path string
	file *os.File // nil after Close, or when it could not be opened again
	size int64
}

func openLog(path string) (*logWriter, error) {
	w := &logWriter{path: path}
	if err := w.open(); err != nil {
		return nil, fmt.Errorf("run: log: %w", err)
	}
	return w, nil
}

func (w *logWriter) open() error {
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.size = f, info.Size()
	return nil
}

// Write implements io.Writer; it never fails.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size+int64(len(p)) > maxLog {
		w.rotateLocked()
	}
	if w.file != nil {
		n, _ := w.file.Write(p)
		w.size += int64(n)
	}
	return len(p), nil
}

func (w *logWriter) rotateLocked() {
	if w.file == nil {
		return
	}
	_ = w.file.Close()
	w.file = nil
	old := w.path + ".1"
	if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if os.Rename(w.path, old) == nil {
		_ = w.open()
	}
}

// Close closes the file; later writes go nowhere.
func (w *logWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}
