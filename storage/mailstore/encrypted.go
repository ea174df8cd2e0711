package mailstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// plainHead is how every SQLite file begins that is not encrypted.
var plainHead = []byte("SQLite format 3\x00")

// encrypt makes or opens the encrypted file (docs/storage-format.md). A plain one of
// the same name is removed first: what lies in it is put there again by those whose
// mail it is, who keep it until its recipient has it.
func (s *Store) encrypt(key *cryptvfs.Key) error {
	if err := removePlain(s.path); err != nil {
		return err
	}
	var err error
	s.file, err = cryptvfs.Open(s.path, key)
	return classifyFile(err)
}

// removePlain overwrites and removes a plain file with what lies beside it. The file
// itself goes last: after a crash in between the next start goes on.
func removePlain(path string) error {
	plain, err := isPlain(path)
	if err != nil || !plain {
		return err
	}
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if err := overwrite(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("mailstore: unencrypted mail: %w", err)
		}
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("mailstore: unencrypted mail: %w", err)
		}
	}
	return nil
}

func isPlain(path string) (bool, error) {
	f, err := os.Open(path) //nolint:gosec // the profile's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("mailstore: %w", err)
	}
	head := make([]byte, len(plainHead))
	_, err = io.ReadFull(f, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // shorter than that
	}
	return bytes.Equal(head, plainHead), errors.Join(err, f.Close())
}

// overwrite fills what a file holds with zeros, behind its head, which tells what it
// is until it is gone. On a disk that writes elsewhere each time this is of no use,
// and no harm.
func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // the profile's own folder
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	zeros := make([]byte, 1<<16)
	for at := int64(len(plainHead)); err == nil && at < fi.Size(); at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(int64(len(zeros)), fi.Size()-at)], at)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// fileSentinels translates the encrypted file's errors.
var fileSentinels = []struct{ of, to error }{
	{cryptvfs.ErrWrongKey, chat.ErrCorrupt},
	{cryptvfs.ErrNotEncrypted, chat.ErrCorrupt},
	{cryptvfs.ErrDamaged, chat.ErrCorrupt},
	{cryptvfs.ErrNewerFormat, chat.ErrNewerSchema},
	{cryptvfs.ErrLocked, chat.ErrProfileBusy},
	{cryptvfs.ErrFull, chat.ErrDiskFull},
}

func classifyFile(err error) error {
	for _, s := range fileSentinels {
		if errors.Is(err, s.of) {
			return fmt.Errorf("mailstore: %w: %w", s.to, err)
		}
	}
	if err != nil {
		return fmt.Errorf("mailstore: %w", err)
	}
	return nil
}
