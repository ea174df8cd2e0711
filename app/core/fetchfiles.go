package core

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/attachment"
)

// Limits of fetching files.
const (
	maxDownloads       = 4 // files that come in at the same time
	maxDownloadsPerson = 2 // of them from one person
	// filesEvery is how often what waits is looked at without a reason.
	filesEvery = 5 * time.Minute
	// wrongBlocks is after how many attempts that brought a wrong block a file is
	// given up as damaged: the first one may be the other side's passing trouble.
	wrongBlocks = 3
	// progressEvery is how often the screens are told how far a file has come.
	progressEvery = 250 * time.Millisecond
	// fileTakers is how many blocks are checked and written at the same time.
	fileTakers = 2
	// fileRetryMost is the longest wait between two attempts while connected.
	fileRetryMost = time.Minute
)

// errWrongManifest says that the manifest given is not the one of the message.
var errWrongManifest = errors.New("core: manifest is not the announced one")

// files fetches files and gives them. What matters of it is in the store: the
// state of each file, and the blocks that are here.
type files struct {
	core  *Core
	store FileStore // nil: none
	kick  chan struct{}
	used  atomic.Int64 // bytes, as last measured

	mu     sync.Mutex
	active map[chat.FileID]*download
	rest   map[chat.FileID]rest // attempts that failed
	gave   map[chat.FileID]*atomic.Int64
	mails  map[chat.PersonID][]mailedMessage // whose files still go to a mailbox; there while that runs
	seals  []*sealing
}

// rest is the pause after attempts that failed.
type rest struct {
	fails, wrong int
	until        time.Time // by the process's own clock
}

// download is a file coming in.
type download struct {
	file   chat.File
	person chat.PersonID
	conv   chat.ConversationID
	// stopped ends when this person pauses it.
	stopped context.Context //nolint:containedctx // one download
	cancel  context.CancelFunc

	mu     sync.Mutex
	got    int64 // bytes here
	speed  float64
	lastAt time.Time
	last   int64
}

func (fs *files) init(c *Core, store FileStore) {
	fs.core, fs.store, fs.kick = c, store, make(chan struct{}, 1)
	fs.active, fs.rest, fs.gave = map[chat.FileID]*download{}, map[chat.FileID]rest{}, map[chat.FileID]*atomic.Int64{}
	fs.mails = map[chat.PersonID][]mailedMessage{}
}

// wake makes run look at what waits.
func (fs *files) wake() {
	select {
	case fs.kick <- struct{}{}:
	default:
	}
}

// again forgets failed attempts: the person wants the file.
func (fs *files) again(id chat.FileID) {
	fs.mu.Lock()
	delete(fs.rest, id)
	fs.mu.Unlock()
	fs.wake()
}

func (fs *files) cancel(id chat.FileID) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if d := fs.active[id]; d != nil {
		d.cancel()
	}
}

// measure looks at how much room files take.
func (fs *files) measure() (int64, error) {
	n, err := fs.store.UsedBytes()
	if err == nil {
		fs.used.Store(n)
	}
	return n, err
}

// comesByItself decides whether a file is fetched without being asked for.
func (fs *files) comesByItself(f chat.File, set map[string]string) bool {
	quota := mib(set[SettingFileQuota])
	return fs.store != nil && f.Size <= mib(set[SettingFileLimit]) && (quota == 0 || fs.used.Load()+f.Sealed <= quota)
}

// run fetches what waits until ctx ends, and waits for what it started.
func (fs *files) run(ctx context.Context) error {
	if fs.store == nil {
		return nil
	}
	if _, err := fs.measure(); err != nil {
		fs.core.log.Warn("files not measured", "err", err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	t := time.NewTicker(filesEvery)
	defer t.Stop()
	for {
		if err := fs.arrange(ctx, &wg); err != nil && ctx.Err() == nil {
			fs.core.log.Warn("waiting files not looked at", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-fs.kick:
		case <-t.C:
		}
	}
}

// arrange starts as many downloads as may run.
func (fs *files) arrange(ctx context.Context, wg *sync.WaitGroup) error {
	wanted, err := read(ctx, fs.core, fs.wanted)
	if err != nil {
		return err
	}
	for _, d := range wanted {
		if !fs.begin(d) {
			continue
		}
		wg.Go(func() {
			defer d.cancel()
			own, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(d.stopped, cancel)()
			fs.end(ctx, d, fs.fetch(own, d))
		})
	}
	return nil
}

// wanted lists what waits of those who are connected.
func (fs *files) wanted(tx ReadTx) (out []*download, err error) {
	contacts, err := tx.Contacts()
	if err != nil {
		return nil, err
	}
	for _, ct := range contacts {
		if ct.Blocked || !fs.core.net.Connected(ct.ID.String()) {
			continue
		}
		waiting, err := tx.WaitingFiles(ct.ID, 4*maxDownloads+fs.resting())
		if err != nil {
			return nil, err
		}
		for _, f := range waiting {
			m, err := tx.Message(f.Message)
			if err != nil {
				return nil, err
			}
			out = append(out, &download{file: f, person: ct.ID, conv: m.Conversation})
		}
	}
	return out, nil
}

// resting is how many files are not to be tried now: so many more are looked at.
func (fs *files) resting() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return min(len(fs.rest), chat.MaxPage)
}

// begin registers a download, unless it runs, rests, or there are enough.
func (fs *files) begin(d *download) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	same := 0
	for _, o := range fs.active {
		if o.person == d.person {
			same++
		}
	}
	if fs.active[d.file.ID] != nil || len(fs.active) >= maxDownloads || same >= maxDownloadsPerson || time.Now().Before(fs.rest[d.file.ID].until) {
		return false
	}
	d.stopped, d.cancel = context.WithCancel(context.Background())
	d.lastAt = time.Now()
	fs.active[d.file.ID] = d
	return true
}

// end records what became of a download.
func (fs *files) end(ctx context.Context, d *download, err error) {
	fs.mu.Lock()
	delete(fs.active, d.file.ID)
	r := fs.rest[d.file.ID]
	fs.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	r.fails++
	if errors.Is(err, chat.ErrFileDamaged) {
		r.wrong++
	}
	r.until = time.Now().Add(min(backoffFirst<<min(r.fails-1, 10), fileRetryMost))
	settled := fs.settle(ctx, d, r, err)
	fs.mu.Lock()
	if settled {
		delete(fs.rest, d.file.ID)
	} else {
		fs.rest[d.file.ID] = r
		t := time.AfterFunc(time.Until(r.until), fs.wake)
		context.AfterFunc(ctx, func() { t.Stop() })
	}
	fs.mu.Unlock()
	fs.core.bus.Publish(event.Event{Kind: event.FileChanged, Conversation: d.conv, Message: d.file.Message})
	fs.wake()
}

// settle stores what is final. It reports false if the file is to be tried again.
func (fs *files) settle(ctx context.Context, d *download, r rest, err error) bool {
	var what error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return true // stored already, or paused
	case errors.Is(err, chat.ErrNotFound):
		what = fs.core.setFile(ctx, d.file, chat.FileMissing)
	case errors.Is(err, errWrongManifest), r.wrong >= wrongBlocks:
		what = errors.Join(fs.store.RemoveFile(d.file.ID), fs.core.damaged(ctx, d.file))
	default:
		if r.fails == 1 {
			fs.core.log.Info("a file did not come in", "err", err)
		}
		if fs.core.trouble.note(err) {
			fs.core.bus.Publish(event.Event{Kind: event.TroubleChanged})
		}
		return false
	}
	if what != nil {
		fs.core.log.Warn("state of a file not stored", "err", what)
	}
	return what == nil
}

// fetch brings a file here as far as it goes.
func (fs *files) fetch(ctx context.Context, d *download) error {
	if err := fs.whole(ctx, d.file); !errors.Is(err, chat.ErrNotFound) {
		return err // another message brought it
	}
	part, err := fs.store.BeginFile(ctx, d.file.ID, d.file.Sealed)
	if err != nil {
		return err
	}
	err = fs.fill(ctx, d, part)
	if err == nil {
		err = part.Finish()
	}
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	_, _ = fs.measure()
	return fs.whole(ctx, d.file)
}

// whole checks a file that is here and stores for every message that waits for it
// that it is. chat.ErrNotFound if it is not here.
func (fs *files) whole(ctx context.Context, f chat.File) error {
	held, err := fs.store.OpenFile(f.ID)
	if err != nil {
		return err
	}
	defer held.Close() //nolint:errcheck // only read
	err = sealedOfFile(f).Copy(stopping{ctx, io.Discard}, held)
	if wrongFile(err) {
		return fs.core.damaged(ctx, f)
	}
	if err != nil {
		return err
	}
	return fs.core.setFile(ctx, f, chat.FileHere)
}

// fill fetches the manifest and whatever blocks are missing.
func (fs *files) fill(ctx context.Context, d *download, part PartFile) error {
	d.set(part.Got())
	ref := d.person.String()
	if !part.HasManifest() {
		if err := fs.manifest(ctx, d, ref, part); err != nil {
			return err
		}
	}
	at := int64(0)
	next := func() FileWant {
		first, n := part.Next(at, MaxFileBlocks)
		at = first + n
		return FileWant{First: first, Count: n}
	}
	return fs.core.net.FetchFile(ctx, ref, d.file.ID, d.file.Sealed, fileTakers, next, func(w FileWant, i int64, b []byte) error {
		if w.Hashes {
			return errWrongManifest
		}
		if _, err := part.Put(i, b); err != nil {
			return err
		}
		if d.due() {
			d.set(part.Got())
			fs.core.bus.Publish(event.Event{Kind: event.FileChanged, Conversation: d.conv, Message: d.file.Message})
		}
		return nil
	})
}

// manifest fetches the hashes of all blocks and checks them against the message.
func (fs *files) manifest(ctx context.Context, d *download, ref string, part PartFile) error {
	blocks, at := attachment.Blocks(d.file.Sealed), int64(0)
	next := func() FileWant {
		n := min(blocks-at, MaxFileHashes)
		at += n
		return FileWant{Hashes: true, First: at - n, Count: n}
	}
	sum, first := attachment.NewManifest(), true
	err := fs.core.net.FetchFile(ctx, ref, d.file.ID, d.file.Sealed, 1, next, func(_ FileWant, _ int64, b []byte) error {
		sum.Write(b)
		err := part.WriteHashes(b, first)
		first = false
		return err
	})
	if err != nil {
		return err
	}
	if sum.Finish(d.file.Sealed) != d.file.Manifest {
		return errWrongManifest
	}
	return part.KeepHashes()
}

// due tells whether the screens are to be told again.
func (d *download) due() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.lastAt) >= progressEvery
}

// set notes how much is here and estimates the speed.
func (d *download) set(got int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if dt := now.Sub(d.lastAt); d.got > 0 && dt > 0 {
		const weight = 0.2 // of the newest value: some seconds count
		d.speed += weight * (float64(got-d.last)/dt.Seconds() - d.speed)
	}
	d.got, d.last, d.lastAt = got, got, now
}

// progress fills in how far a download is; false if it does not run.
func (fs *files) progress(id chat.FileID, info *FileInfo) bool {
	fs.mu.Lock()
	d := fs.active[id]
	fs.mu.Unlock()
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	info.Active, info.Got, info.Speed = true, d.got, int64(max(d.speed, 0))
	if info.Speed > 0 {
		info.Remaining = time.Duration(float64(info.Total-info.Got) / d.speed * float64(time.Second)).Truncate(time.Second)
	}
	return true
}

// GiveFile implements TransportHandler: a file is given to those with whom a
// message shared it, and to nobody else.
func (c *Core) GiveFile(ctx context.Context, ref string, id chat.FileID) (HeldFile, error) {
	if c.files.store == nil {
		return nil, chat.ErrNotFound
	}
	ok, err := read(ctx, c, func(tx ReadTx) (bool, error) {
		person, err := c.personOf(tx, ref)
		if err != nil {
			return false, err
		}
		ct, err := tx.Contact(person)
		if err != nil || ct.Blocked {
			return false, err
		}
		return tx.FileShared(id, person)
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		c.log.Info("a file was asked for that was not shared")
		return nil, chat.ErrNotFound
	}
	held, err := c.files.store.OpenFile(id)
	if err != nil {
		return nil, err
	}
	return counted{held, c.files.counter(id)}, nil
}

// counted counts what is given of a file.
type counted struct {
	HeldFile
	bytes *atomic.Int64
}

func (c counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.HeldFile.ReadAt(p, off)
	c.bytes.Add(int64(n))
	return n, err
}

// maxCounted bounds the files whose giving is counted.
const maxCounted = 1000

func (fs *files) counter(id chat.FileID) *atomic.Int64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.gave[id] == nil {
		if len(fs.gave) >= maxCounted {
			clear(fs.gave)
		}
		fs.gave[id] = &atomic.Int64{}
	}
	return fs.gave[id]
}

func (fs *files) given(id chat.FileID) int64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if n := fs.gave[id]; n != nil {
		return n.Load()
	}
	return 0
}

func (fs *files) beginSealing(s Sealing) *sealing {
	p := &sealing{Sealing: s}
	fs.mu.Lock()
	fs.seals = append(fs.seals, p)
	fs.mu.Unlock()
	fs.core.bus.Publish(event.Event{Kind: event.FileChanged, Conversation: s.Conversation})
	return p
}

func (fs *files) endSealing(p *sealing) {
	fs.mu.Lock()
	fs.seals = slices.DeleteFunc(fs.seals, func(o *sealing) bool { return o == p })
	fs.mu.Unlock()
	fs.core.bus.Publish(event.Event{Kind: event.FileChanged, Conversation: p.Conversation})
}

func (fs *files) sealing() []Sealing {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := []Sealing{}
	for _, p := range fs.seals {
		s := p.Sealing
		s.Done = p.done.Load()
		out = append(out, s)
	}
	return out
}
