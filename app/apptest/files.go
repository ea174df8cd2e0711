package apptest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// FileFault may change what is given of a file on its way to somebody, or cut the
// connection by an error. It is called for each part: a block, or some entries of
// the manifest.
type FileFault func(to string, w core.FileWant, i int64, data []byte) ([]byte, error)

// SetFileFault sets what happens to files from now on; nil: nothing.
func (n *Net) SetFileFault(f FileFault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fileFault = f
}

// FetchFile implements core.Transport.
func (l *Link) FetchFile(ctx context.Context, ref string, id chat.FileID, _ int64, _ int, next func() core.FileWant, take func(core.FileWant, int64, []byte) error) error {
	c := l.net.find(l, ref)
	if c == nil {
		return chat.ErrUnreachable
	}
	l.net.mu.Lock()
	i := c.side(l)
	other, theirs := c.ends[1-i], c.refs[1-i]
	l.net.mu.Unlock()
	src, err := other.owner().GiveFile(ctx, theirs, id)
	if errors.Is(err, chat.ErrUnreachable) || errors.Is(err, errBroken) {
		return chat.ErrUnreachable
	}
	if err != nil {
		return chat.ErrNotFound
	}
	defer src.Close() //nolint:errcheck // only read
	for w := next(); w.Count > 0; w = next() {
		l.net.log(other.name + " > " + l.name + ": a part of a file")
		if err := l.parts(ctx, ref, src, w, take); err != nil {
			return err
		}
	}
	return nil
}

// parts takes across what one question asks for.
func (l *Link) parts(ctx context.Context, ref string, src core.HeldFile, w core.FileWant, take func(core.FileWant, int64, []byte) error) error {
	from, size, count := io.ReaderAt(src), int64(core.FileBlock), w.Count
	if w.Hashes {
		from, size, count = src.Hashes(), 32*w.Count, 1
	}
	for i := w.First; i < w.First+count; i++ {
		at := i * size
		if w.Hashes {
			at = w.First * 32
		}
		b := make([]byte, size)
		n, err := from.ReadAt(b, at)
		if n == 0 {
			return errors.Join(err, errBroken)
		}
		l.net.mu.Lock()
		fault := l.net.fileFault
		l.net.mu.Unlock()
		if b = b[:n]; fault != nil {
			if b, err = fault(l.name, w, i, b); err != nil {
				return err
			}
		}
		if ctx.Err() != nil || l.net.find(l, ref) == nil {
			return errors.Join(ctx.Err(), chat.ErrUnreachable)
		}
		if err := take(w, i, b); err != nil {
			return err
		}
	}
	return nil
}

// SendsFiles sends files with the given contents, named as in names.
func (p *Person) SendsFiles(to *Person, text string, files map[string][]byte, names ...string) chat.MessageID {
	p.w.T.Helper()
	out := core.Outgoing{Text: text}
	dir, err := os.MkdirTemp(p.w.dir, "own-")
	p.w.check(err)
	for _, name := range names {
		path := filepath.Join(dir, name)
		p.w.check(os.WriteFile(path, files[name], 0o600))
		out.Files = append(out.Files, path)
	}
	id, err := p.Core.Send(context.Background(), p.With(to), out)
	p.w.check(err)
	return id
}

// FileState is how it stands with a file.
func (p *Person) FileState(id chat.MessageID, place int) core.FileInfo {
	p.w.T.Helper()
	info, err := p.Core.File(context.Background(), id, place)
	p.w.check(err)
	return info
}

// SeesFile waits until a file has a state.
func (p *Person) SeesFile(id chat.MessageID, place int, s chat.FileState) {
	p.w.T.Helper()
	p.w.eventually(p.Name+" sees a file "+s.String(), func() bool {
		info, err := p.Core.File(context.Background(), id, place)
		return err == nil && info.File.State == s
	})
}

// Saves saves a file and returns its content.
func (p *Person) Saves(id chat.MessageID, place int) []byte {
	p.w.T.Helper()
	path := filepath.Join(p.w.dir, p.Name+"-saved")
	p.w.check(p.Core.SaveFile(context.Background(), id, place, path))
	b, err := os.ReadFile(path)
	p.w.check(err)
	return b
}
