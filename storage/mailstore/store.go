// Package mailstore keeps the mail of an always-on machine: queues, the blobs in
// them and published pages, in one SQLite file (docs/protocol/mailbox.md), which is
// encrypted if there is a key. It is the Store of p2p/mailbox, which it does not
// import.
//
// What it promises:
//
//   - What a method has done is on the disk when it returns (synchronous=FULL) and
//     survives kill -9 and power cuts. An error means that nothing was done, except
//     where Put says how much was.
//   - Calls that wait at the same time share one commit.
//   - Tokens and capabilities are kept as their SHA-256; comparing takes the same
//     time whether or not they fit, and whether or not there is such a queue.
//   - Quotas are counters, changed in the transaction of what they count.
//   - Places ascend in a queue for ever, also after it was made anew and after an
//     older copy of the file was put back: they follow the clock.
//   - With a key, nothing reaches the disk that is not encrypted under it.
//   - After an I/O error or damage nothing more is written until the file is opened
//     anew: every call that writes fails with ErrStopped.
//
// Nothing is logged that names an id.
package mailstore

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

//go:embed schema.sql
var schema string

// applicationID marks a file as ours ("KUVM"), schemaVersion its layout.
const (
	applicationID = 0x4b55564d
	schemaVersion = 1
)

// Limits that Options may change.
const (
	// DefaultQuota in bytes is what a token may keep if Allow does not say.
	DefaultQuota = 2 << 30
	// DefaultBlobs and DefaultQueueBytes are how many blobs and bytes a queue holds.
	DefaultBlobs      = 4000
	DefaultQueueBytes = 64 << 20
	// DefaultQueues and DefaultPages are how many queues and published pages a
	// token may have.
	DefaultQueues = 20000
	DefaultPages  = 1000
	// DefaultLife is for how long a blob is kept, and a page without an end.
	DefaultLife = 30 * 24 * time.Hour
)

// Limits that nobody needs to change.
const (
	// rowCost in bytes is what a row counts against the quota besides its content.
	rowCost = 128
	// maxPageLife is the latest end of a published page.
	maxPageLife = 400 * 24 * time.Hour
	// goneLife and goneNumbers are for how long, and for how many of the newest
	// blobs of a queue, it is remembered that they were deleted. Senders put what
	// nobody acknowledged there once more after a day: it must be taken by then.
	goneLife    = 12 * time.Hour
	goneNumbers = 1024
	// maxNumber is the last number a blob of a queue can have, maxQueue the last of
	// a queue: both are halves of a blob's id.
	maxNumber = 1<<32 - 1
	maxQueue  = 1<<31 - 1
	// readers is how many calls read at once.
	readers = 4
)

// Options say how a store is opened. A zero field takes the default.
type Options struct {
	Blobs, Queues, Pages int
	QueueBytes           int64
	Life                 time.Duration
	Now                  func() time.Time // the clock
	// Key encrypts the file (docs/storage-format.md); nil leaves it plain. The caller
	// may overwrite it after Open.
	Key *cryptvfs.Key
	Log *slog.Logger // nil discards
}

func (o Options) withDefaults() Options {
	orInt(&o.Blobs, DefaultBlobs)
	orInt(&o.Queues, DefaultQueues)
	orInt(&o.Pages, DefaultPages)
	orInt(&o.QueueBytes, DefaultQueueBytes)
	orInt(&o.Life, DefaultLife)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func orInt[T ~int | ~int64](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// Store is an open file. All its methods are safe for concurrent use.
type Store struct {
	path    string
	options Options
	file    *cryptvfs.Database // nil: the file is plain
	read    *sql.DB
	stmts   *statements // of the readers
	write   *sql.DB
	queue   chan *update  // to the writer goroutine
	written chan struct{} // closed when the writer goroutine has ended
	stopped atomic.Pointer[error]

	mu     sync.Mutex // guards closed and the growth of users
	closed bool
	users  sync.WaitGroup // calls under way

	// The writer goroutine's:
	conn      *sql.Conn
	prepared  *statements
	batches   int   // since the last look at the WAL
	sweepFrom int64 // the queue up to which the present pass has come
}

// Open opens the file, and makes it if there is none; its folder must exist. Only
// one process may have it open. With a key, a plain file of that name is removed.
//
// Errors: chat.ErrNewerSchema, chat.ErrCorrupt (also for what is no mailbox, is
// encrypted without a key being given, or under another one),
// chat.ErrDiskFull, chat.ErrProfileBusy, ErrIO, and those of the file system.
func Open(path string, options Options) (*Store, error) {
	ctx := context.Background()
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("mailstore: path is not absolute: %w", fs.ErrInvalid)
	}
	s := &Store{
		path: path, options: options.withDefaults(),
		queue: make(chan *update), written: make(chan struct{}),
	}
	s.options.Key = nil
	if options.Key != nil {
		if err := s.encrypt(options.Key); err != nil {
			return nil, err
		}
	} else if err := create(path); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, errors.Join(err, s.disconnect())
	}
	go s.serve()
	return s, nil
}

// create makes an empty file that nobody else can read, unless there is one.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("mailstore: %w", err)
	}
	fi, err := f.Stat()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("mailstore: %w", err)
	}
	// SQLite would delete a WAL without a database: then the mailbox itself was lost.
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 && fi.Size() == 0 {
		return fmt.Errorf("mailstore: a WAL without its database: %w", chat.ErrCorrupt)
	}
	return nil
}

func (s *Store) connect(ctx context.Context) (err error) {
	if s.write, err = sql.Open("sqlite", s.dsn(writing)); err != nil {
		return classify(err)
	}
	s.write.SetMaxOpenConns(1)
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return classify(err)
	}
	s.prepared = newStatements(s.conn)
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", s.dsn(reading)); err != nil {
		return classify(err)
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	s.stmts = newStatements(s.read)
	return classify(s.read.PingContext(ctx))
}

// prepare makes the tables, or looks whether these are ours.
func (s *Store) prepare(ctx context.Context) error {
	var app, version, tables int64
	err := s.prepared.row(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`, nil, &app, &version, &tables)
	switch {
	case err != nil:
		return err
	case app == 0 && version == 0 && tables == 0:
		return s.make(ctx)
	case app != applicationID || version < 1 || tables == 0:
		return fmt.Errorf("mailstore: not a mailbox: %w", chat.ErrCorrupt)
	case version > schemaVersion:
		return fmt.Errorf("mailstore: schema %d, known are up to %d: %w", version, schemaVersion, chat.ErrNewerSchema)
	}
	return nil
}

func (s *Store) make(ctx context.Context) error {
	script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA application_id=%d;\nPRAGMA user_version=%d;\nCOMMIT", schema, applicationID, schemaVersion)
	_, err := s.conn.ExecContext(ctx, script)
	return classify(err)
}

// disconnect closes whatever is open.
func (s *Store) disconnect() error {
	var errs []error
	if s.stmts != nil {
		errs = append(errs, s.stmts.close())
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.prepared != nil {
		errs = append(errs, s.prepared.close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	err := classify(errors.Join(errs...))
	if s.file != nil {
		err = errors.Join(err, classifyFile(s.file.Close()))
	}
	return err
}

// Close waits for what is under way, folds the WAL into the file and closes it.
// What comes later fails with ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.mu.Unlock()

	s.users.Wait()
	close(s.queue)
	<-s.written
	var err error
	if s.stopped.Load() == nil {
		err = s.checkpoint("TRUNCATE")
	}
	return errors.Join(err, s.disconnect())
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
