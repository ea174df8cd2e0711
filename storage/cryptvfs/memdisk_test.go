package cryptvfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
)

// sector is the piece of a disk that is written whole or not at all.
const sector = 512

var errNoPower = errors.New("power is gone")

// memDisk is a disk whose power can be cut: what was not synced survives it by
// chance, sector by sector.
type memDisk struct {
	mu    sync.Mutex
	names map[string]*memContent
	// durable is what names were when their folder was last synced; history is
	// what happened to them since.
	durable map[string]*memContent
	history []map[string]*memContent

	left int  // operations until the power is cut; negative is never
	off  bool // the power is gone
	lies bool // syncs do nothing
	// fault decides about an operation: nil to go on. A short write writes half.
	fault func(op string) error
	quiet bool                 // faults are not reported
	busy  map[*memContent]bool // locked
}

type memContent struct {
	now     []byte
	durable []byte
	changes []change // since the last sync
}

// change is a write, or without data a new length.
type change struct {
	at   int64
	data []byte
}

type memFile struct {
	d        *memDisk
	c        *memContent
	readOnly bool
	locked   bool
}

func newMemDisk() *memDisk {
	return &memDisk{
		names: map[string]*memContent{}, durable: map[string]*memContent{}, left: -1,
		busy: map[*memContent]bool{},
	}
}

// begin counts an operation; the caller holds mu. The operation at which the power
// is cut is still under way then.
func (d *memDisk) begin(op string) error {
	if d.off {
		return errNoPower
	}
	if d.left == 0 {
		d.off = true
	}
	d.left--
	if d.fault != nil {
		return d.fault(op)
	}
	return nil
}

// end says whether an operation was finished in time; the caller holds mu.
func (d *memDisk) end() error {
	if d.off {
		return errNoPower
	}
	return nil
}

func (d *memDisk) open(path string, create, readOnly bool) (diskFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return nil, errNoPower
	}
	c := d.names[path]
	if c == nil && !create {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if c == nil {
		c = &memContent{}
		d.change(func(names map[string]*memContent) { names[path] = c })
	}
	return &memFile{d: d, c: c, readOnly: readOnly}, nil
}

// change changes the names and remembers it until they are durable.
func (d *memDisk) change(fn func(map[string]*memContent)) {
	names := make(map[string]*memContent)
	for k, v := range d.names {
		names[k] = v
	}
	fn(names)
	d.names = names
	d.history = append(d.history, names)
}

func (d *memDisk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename"); err != nil {
		return err
	}
	d.change(func(n map[string]*memContent) { n[to] = n[from]; delete(n, from) })
	return d.end()
}

func (d *memDisk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	if err := d.begin("remove"); err != nil {
		return err
	}
	d.change(func(n map[string]*memContent) { delete(n, path) })
	return d.end()
}

func (d *memDisk) syncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("syncDir"); err != nil {
		return err
	}
	if err := d.end(); err != nil || d.lies {
		return err
	}
	d.durable, d.history = d.names, nil
	return nil
}

func (d *memDisk) size(path string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return 0, errNoPower
	}
	c := d.names[path]
	if c == nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	return int64(len(c.now)), nil
}

func (f *memFile) ReadAt(b []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.off {
		return 0, errNoPower
	}
	if f.d.fault != nil {
		if err := f.d.fault("read"); err != nil {
			return 0, err
		}
	}
	if at >= int64(len(f.c.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.c.now[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.readOnly {
		return 0, fs.ErrPermission
	}
	ferr, whole := f.d.begin("write"), len(b)
	if errors.Is(ferr, errNoPower) {
		return 0, ferr
	}
	if ferr != nil {
		b = b[:len(b)/2]
	}
	c := change{at, bytes.Clone(b)}
	f.c.changes = append(f.c.changes, c)
	f.c.now = c.apply(f.c.now, nil)
	if ferr != nil && !f.d.quiet {
		return len(b), ferr
	}
	return whole, f.d.end()
}

func (f *memFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.begin("truncate"); err != nil {
		return err
	}
	c := change{size, nil}
	f.c.changes = append(f.c.changes, c)
	f.c.now = c.apply(f.c.now, nil)
	return f.d.end()
}

// Sync forgets, if it fails, what it could not write, as Linux does: the next one
// succeeds without it.
func (f *memFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.d.begin("sync")
	if errors.Is(err, errNoPower) || f.d.off {
		return errNoPower
	}
	if f.d.lies {
		return err
	}
	if err == nil {
		for _, c := range f.c.changes {
			f.c.durable = c.apply(f.c.durable, nil)
		}
	}
	f.c.changes = nil
	if f.d.quiet {
		return nil
	}
	return err
}

func (f *memFile) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.locked {
		delete(f.d.busy, f.c)
	}
	return nil
}

func (f *memFile) size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.off {
		return 0, errNoPower
	}
	return int64(len(f.c.now)), nil
}

func (f *memFile) moved(path string) bool {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.d.names[path] != f.c
}

func (f *memFile) lock() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.busy[f.c] {
		return fmt.Errorf("cryptvfs: %w", ErrLocked)
	}
	f.d.busy[f.c], f.locked = true, true
	return nil
}

// apply makes a change; with r each sector of it only by chance.
func (c change) apply(b []byte, r *rand.Rand) []byte {
	if c.data == nil {
		if r != nil && r.IntN(2) == 0 {
			return b
		}
		return resize(b, c.at)
	}
	for from, end := c.at, c.at+int64(len(c.data)); from < end; {
		to := min((from/sector+1)*sector, end)
		if r == nil || r.IntN(2) == 0 {
			if to > int64(len(b)) {
				b = resize(b, to)
			}
			copy(b[from:to], c.data[from-c.at:to-c.at])
		}
		from = to
	}
	return b
}

func resize(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		return b[:n]
	}
	return append(b, make([]byte, n-int64(len(b)))...)
}

// restart cuts the power and brings it back: names are those of some moment since
// they were last durable, and of what was not synced each sector survives by
// chance.
func (d *memDisk) restart(r *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := r.IntN(len(d.history) + 1); n > 0 {
		d.durable = d.history[n-1]
	}
	for _, c := range d.durable {
		b := bytes.Clone(c.durable)
		for _, x := range c.changes {
			b = x.apply(b, r)
		}
		c.now, c.durable, c.changes = b, bytes.Clone(b), nil
	}
	d.names, d.history = d.durable, nil
	d.left, d.off, d.fault, d.quiet = -1, false, nil, false
	d.busy = map[*memContent]bool{}
}

// flush makes everything durable, as a system does in time without being asked.
func (d *memDisk) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.names {
		c.durable, c.changes = bytes.Clone(c.now), nil
	}
	d.durable, d.history = d.names, nil
}
