package sqlite

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// Store is an open database. All its methods are safe for concurrent use.
type Store struct {
	cfg     Config // without the key
	db      *cryptvfs.Database
	queue   chan *update    // to the writer goroutine
	scrubs  chan chan error // to the writer goroutine, see Scrub
	written chan struct{}   // closed when the writer goroutine has ended
	readers chan *conn      // those that are free

	mu     sync.Mutex // guards closed and the growth of users
	closed bool
	users  sync.WaitGroup // calls of Update, View and Check under way

	writer   *conn // owned by the writer goroutine, lent to one update at a time
	batches  int   // since the last look at the WAL; the writer goroutine's
	walLimit int64 // bytes; constant
	// stopped is what ended all writing, if anything did.
	stopped atomic.Pointer[error]

	// Of the goroutine that keeps the search index.
	toIndex chan struct{} // 1: something was written
	closing chan struct{} // closed by Close
	indexed chan struct{} // closed when the goroutine has ended
	common  atomic.Pointer[frequencies]
}

func newStore(ctx context.Context, cfg Config, db *cryptvfs.Database, writer *conn) (*Store, error) {
	s := &Store{
		cfg:     cfg,
		db:      db,
		queue:   make(chan *update),
		scrubs:  make(chan chan error),
		written: make(chan struct{}),
		readers: make(chan *conn, readers),
		writer:  writer,

		walLimit: walLimit,
		toIndex:  make(chan struct{}, 1),
		closing:  make(chan struct{}),
		indexed:  make(chan struct{}),
	}
	for range readers {
		c, err := connect(ctx, dsn(db, accessRead))
		if err != nil {
			return nil, errors.Join(err, s.closeReaders())
		}
		c.common = &s.common
		s.readers <- c
	}
	go s.write()
	go s.index() //nolint:contextcheck,gosec // lives until Close
	return s, nil
}

// enter lets a call in unless the store is closed; leave must follow.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.users.Add(1)
	return nil
}

func (s *Store) leave() { s.users.Done() }

// View runs fn on a consistent snapshot: everything that was committed when fn
// first reads, and nothing later. It waits only for one of the few readers to be
// free, so fn must be brief and must not call View itself.
func (s *Store) View(ctx context.Context, fn func(*ReadTx) error) error {
	return s.read(ctx, func(c *conn) error {
		tx := &ReadTx{c: c}
		defer func() { tx.c = nil }()
		return fn(tx)
	})
}

// Check reads the whole database, every bit of the file and tables against indexes
// too, and returns chat.ErrCorrupt if it is damaged. It takes some seconds for
// 100 MB.
func (s *Store) Check(ctx context.Context) error {
	return s.read(ctx, func(c *conn) error {
		if err := s.db.Verify(ctx); err != nil {
			return classifyFile(err)
		}
		return check(c, "PRAGMA integrity_check(1)")
	})
}

func (s *Store) read(ctx context.Context, fn func(*conn) error) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *conn
	select {
	case c = <-s.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.readers <- c }()
	c.err = nil
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	defer func() {
		c.err = nil
		if _, e := c.exec("ROLLBACK"); e != nil && err == nil {
			err = e
		}
	}()
	return fn(c)
}

// Close waits for every Update and View under way, folds the WAL into the
// database, closes it and overwrites its keys. What comes later fails with ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.mu.Unlock()

	close(s.closing)
	s.users.Wait()
	<-s.indexed
	close(s.queue)
	<-s.written
	errs := []error{s.closeReaders()}
	if s.stopped.Load() == nil {
		errs = append(errs, s.checkpoint())
	}
	return errors.Join(append(errs, s.writer.close(), s.db.Close())...)
}

func (s *Store) closeReaders() error {
	var errs []error
	for len(s.readers) > 0 {
		errs = append(errs, (<-s.readers).close())
	}
	return errors.Join(errs...)
}

// The WAL grows while readers never leave it at the same moment: SQLite can then
// move its pages but not begin it anew.
const (
	// trimEvery is after how many batches the WAL's length is looked at.
	trimEvery = 64
	// walLimit in bytes is the length from which the writer waits for readers to
	// leave; a commit's own checkpoint (checkpointPages) comes long before.
	walLimit = 64 << 20
)

// trim begins a WAL that has become too long anew. It waits for the readers that
// are in it, at most busyTimeout; those that come meanwhile do not matter.
func (s *Store) trim() {
	fi, err := os.Stat(s.cfg.Path + "-wal")
	if err != nil || fi.Size() < s.walLimit {
		return
	}
	if _, err := s.writer.int("PRAGMA wal_checkpoint(RESTART)"); err != nil {
		s.cfg.Log.Warn("WAL cannot be begun anew", "err", err)
	}
}

// checkpoint moves everything from the WAL into the database and empties it: no
// deleted text stays behind in the WAL.
func (s *Store) checkpoint() error {
	s.writer.err = nil
	_, err := s.writer.int("PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
