package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"sync"
)

// writeAhead is how many blocks are written to the disk at a time while the file is
// still under way.
const writeAhead = 256

// Part is a file under way. Safe for concurrent use.
type Part struct {
	store  *Store
	id     ID
	name   string
	size   int64
	blocks int64
	users  int // guarded by Store.mu
	// dropped: everything goes when the last user closes it. Guarded by Store.mu.
	dropped bool

	mu     sync.Mutex
	file   *os.File
	marks  *os.File
	hashes *os.File // nil before the manifest is here
	fresh  *os.File // a manifest being written
	have   []byte   // the map: a bit for each block
	got    int64    // bytes
	whole  bool
}

// Begin opens a file under way, of size bytes, and makes it if there is none. The
// blocks that an earlier process left are checked first, at the speed of SHA-256.
// The caller closes it.
func (s *Store) Begin(ctx context.Context, id ID, size int64) (*Part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[id]; p != nil {
		if p.size != size {
			return nil, fmt.Errorf("%w: two sizes of one file", ErrWrongBlock)
		}
		p.users++
		return p, nil
	}
	p := &Part{store: s, id: id, name: s.name(id), size: size, blocks: (size + BlockSize - 1) / BlockSize, users: 1}
	p.have = make([]byte, (p.blocks+7)/8)
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.closeFiles())
	}
	s.parts[id] = p
	return p, nil
}

func (p *Part) open(ctx context.Context) (err error) {
	if p.file, err = p.store.create(p.name + partSuffix); err != nil {
		return err
	}
	if p.marks, err = p.store.create(p.name + mapSuffix); err != nil {
		return err
	}
	p.hashes, err = p.store.root.Open(p.name + hashesSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failed("open manifest", err)
	}
	if fi, err := p.hashes.Stat(); err != nil || fi.Size() != p.blocks*HashSize {
		_ = p.hashes.Close()
		p.hashes = nil
		return failed("open manifest", err)
	}
	return p.takeUp(ctx)
}

// takeUp believes the map as far as the blocks bear it out.
func (p *Part) takeUp(ctx context.Context) error {
	old := make([]byte, len(p.have))
	if _, err := p.marks.ReadAt(old, 0); err != nil && !errors.Is(err, io.EOF) {
		return failed("map", err)
	}
	block := make([]byte, BlockSize)
	for i := range p.blocks {
		if old[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		b := block[:p.length(i)]
		if _, err := p.file.ReadAt(b, i*BlockSize); err != nil && !errors.Is(err, io.EOF) {
			return failed("read", err)
		}
		if p.check(i, b) == nil {
			p.set(i)
		}
	}
	_, err := p.marks.WriteAt(p.have, 0)
	return failed("map", err)
}

func (p *Part) length(i int64) int64 { return min(BlockSize, p.size-i*BlockSize) }

func (p *Part) set(i int64) {
	p.have[i/8] |= 1 << (i % 8)
	p.got += p.length(i)
}

func (p *Part) has(i int64) bool { return p.have[i/8]&(1<<(i%8)) != 0 }

// check compares a block with the manifest.
func (p *Part) check(i int64, block []byte) error {
	var want [HashSize]byte
	if _, err := p.hashes.ReadAt(want[:], i*HashSize); err != nil {
		return failed("manifest", err)
	}
	if sha256.Sum256(block) != want {
		return fmt.Errorf("%w: block %d", ErrWrongBlock, i)
	}
	return nil
}

// HasManifest tells whether blocks can be taken.
func (p *Part) HasManifest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hashes != nil
}

// WriteHashes appends to the manifest that is coming in; first begins a new one.
// It counts only after KeepHashes.
func (p *Part) WriteHashes(b []byte, first bool) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first || p.fresh == nil {
		if p.fresh != nil {
			_ = p.fresh.Close()
		}
		if p.fresh, err = p.store.create(p.name + newSuffix); err != nil {
			return err
		}
		if err := p.fresh.Truncate(0); err != nil {
			return failed("manifest", err)
		}
	}
	_, err = p.fresh.Write(b)
	return failed("manifest", err)
}

// KeepHashes takes the manifest that came in, which the caller has checked.
func (p *Part) KeepHashes() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hashes != nil || p.fresh == nil {
		return nil
	}
	fi, err := p.fresh.Stat()
	if err == nil && fi.Size() != p.blocks*HashSize {
		return fmt.Errorf("%w: %d bytes", ErrNoManifest, fi.Size())
	}
	if err := errors.Join(err, p.fresh.Sync(), p.fresh.Close()); err != nil {
		return failed("manifest", err)
	}
	p.fresh = nil
	if err := p.store.root.Rename(p.name+newSuffix, p.name+hashesSuffix); err != nil {
		return failed("manifest", err)
	}
	p.hashes, err = p.store.root.Open(p.name + hashesSuffix)
	return failed("manifest", err)
}

// Put stores a block if the manifest names it: ErrWrongBlock if not, and then
// nothing is stored. One that is there already is left alone and reported.
func (p *Part) Put(i int64, block []byte) (known bool, err error) {
	p.mu.Lock()
	hashes := p.hashes
	switch {
	case hashes == nil:
		err = ErrNoManifest
	case i < 0 || i >= p.blocks || int64(len(block)) != p.length(i):
		err = fmt.Errorf("%w: %d bytes at %d", ErrWrongBlock, len(block), i)
	default:
		known = p.has(i)
	}
	p.mu.Unlock()
	if err != nil || known {
		return known, err
	}
	if err := p.check(i, block); err != nil {
		return false, err
	}
	if _, err := p.file.WriteAt(block, i*BlockSize); err != nil {
		return false, failed("write", err)
	}
	if (i+1)%writeAhead == 0 {
		startWriting(p.file, (i+1-writeAhead)*BlockSize, writeAhead*BlockSize)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.has(i) {
		return true, nil
	}
	p.set(i)
	_, err = p.marks.WriteAt(p.have[i/8:i/8+1], i/8)
	return false, failed("map", err)
}

// Next returns the first run of missing blocks from a place on, of at most limit
// blocks; none are missing if count is 0.
func (p *Part) Next(from, limit int64) (first, count int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for first = from; first < p.blocks && p.has(first); first++ {
	}
	for first+count < p.blocks && count < limit && !p.has(first+count) {
		count++
	}
	return first, count
}

// Got is how many bytes are here.
func (p *Part) Got() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got
}

// Sync makes the blocks that are here durable.
func (p *Part) Sync() error {
	return failed("sync", errors.Join(p.file.Sync(), p.marks.Sync()))
}

// Finish makes the file durable and whole under its name; ErrIncomplete while
// blocks are missing. The part still wants to be closed.
func (p *Part) Finish() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole {
		return nil
	}
	if p.got != p.size || p.hashes == nil {
		return ErrIncomplete
	}
	if err := p.file.Sync(); err != nil {
		return failed("sync", err)
	}
	if err := p.store.finish(p); err != nil {
		return err
	}
	p.whole = true
	return nil
}

// finish renames; Windows wants no handle open then.
func (s *Store) finish(p *Part) error {
	err := errors.Join(p.file.Close(), p.marks.Close())
	if err == nil {
		err = s.root.Rename(p.name+partSuffix, p.name+wholeSuffix)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return failed("finish", err)
	}
	return s.remove(p.name + mapSuffix)
}

// Close ends a use of the part.
func (p *Part) Close() error {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.users--; p.users > 0 {
		return nil
	}
	delete(s.parts, p.id)
	err := p.closeFiles()
	if p.dropped {
		err = errors.Join(err, s.removeAll(p.id))
	}
	return err
}

func (p *Part) closeFiles() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, f := range []*os.File{p.file, p.marks, p.hashes, p.fresh} {
		if f == nil {
			continue
		}
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return failed("close", errors.Join(errs...))
}

// Left tells about how many bytes of a file under way are here, without opening it.
func (s *Store) Left(id ID) (bytes int64) {
	marks, err := s.root.ReadFile(s.name(id) + mapSuffix)
	if err != nil {
		return 0
	}
	for _, b := range marks {
		bytes += int64(bits.OnesCount8(b)) * BlockSize
	}
	return bytes
}
