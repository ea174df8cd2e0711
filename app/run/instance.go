package run

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/rpc"
	"github.com/kuvert-im/kuvert/app/run/fileport"
	"github.com/kuvert-im/kuvert/crypto/vault"
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// errSlowStop: something did not end within stopPatience.
var errSlowStop = errors.New("run: services did not end in time")

// Instance is a profile that this process has. Its client works from the
// beginning; messages travel and others may attach while Run runs.
type Instance struct {
	folder *folder
	store  *sqlite.Store
	core   *core.Core
	net    *transport // nil when offline
	files  *fileport.Store
	opts   Options

	closing sync.Once
	closed  error
}

// Open takes a profile and opens it. Errors: chat.ErrNoProfile,
// chat.ErrProfileBusy, chat.ErrReadOnly, chat.ErrCorrupt, chat.ErrNewerSchema,
// chat.ErrDiskFull, chat.ErrPortTaken; of its lock chat.ErrLocked (with
// chat.ErrNoKeyring or chat.ErrKeyringEmpty if the keyring should have opened it),
// chat.ErrWrongPassphrase, chat.ErrSheetMistyped, chat.ErrKeyFile, chat.ErrVault.
func Open(ctx context.Context, o Options) (*Instance, error) {
	dir, err := resolve(o.Dir)
	if err != nil {
		return nil, err
	}
	switch exists, err := Exists(dir); {
	case err != nil:
		return nil, err
	case !exists:
		return nil, chat.ErrNoProfile
	}
	f, err := take(dir)
	if err != nil {
		return nil, err
	}
	key, err := f.unlock(ctx, o.Unlock)
	if err != nil {
		return nil, errors.Join(err, f.release())
	}
	defer key.Wipe()
	store, err := f.openDatabase(ctx, &key)
	if err != nil {
		f.log.Error("profile does not open", "err", err)
		return nil, errors.Join(err, f.release())
	}
	i := &Instance{folder: f, store: store, opts: o}
	if err := i.build(ctx, key.Mail()); err != nil {
		f.log.Error("profile does not start", "err", err)
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

// build makes the network and the core. Neither does anything before Run. mail is
// kept: mail for others may be asked for at any time.
func (i *Instance) build(ctx context.Context, mail vault.Key) error {
	free := func() (int64, error) { return diskFree(i.folder.dir) }
	b := &ballast{dir: i.folder.dir, free: free}
	if !i.opts.Offline {
		b.keep()
	}
	cfg := core.Config{Store: ballastStore{coreStore{i.store}, b}, Log: i.folder.log, DiskFree: free, Spent: b.Spent}
	moved, err := core.Moved(ctx, cfg.Store)
	if err != nil {
		return err
	}
	if !i.opts.Offline && !moved {
		t, err := newTransport(ctx, i.folder.dir, i.opts, cfg.Store, mail, i.folder.log)
		if err != nil {
			return err
		}
		i.net, cfg.Transport = t, t
	}
	files, err := fileport.Open(ctx, filepath.Join(i.folder.dir, filesDir), cfg.Store)
	if err != nil {
		return explain(err)
	}
	i.files, cfg.Files = &files, files
	c, err := core.New(cfg) //nolint:contextcheck // it only reads who this is
	i.core = c
	return err
}

// Client is the core of this profile.
func (i *Instance) Client() core.Client { return i.core }

// Dir is the profile's folder.
func (i *Instance) Dir() string { return i.folder.dir }

// Run serves the profile until ctx ends: the network, and other processes of
// this user. Then it stops everything in order and closes the profile. ready, if
// not nil, is called when others can attach. The error is what ended it, nil if
// that was ctx.
func (i *Instance) Run(ctx context.Context, ready func()) error {
	l, err := rpc.Listen(ctx, i.folder.dir)
	if err != nil {
		return errors.Join(explain(err), i.Close())
	}
	i.folder.log.Info("started")
	err = i.serve(ctx, l, ready)
	if err != nil {
		i.folder.log.Error("ended by a fault", "err", err)
	}
	i.folder.log.Info("stopping")
	return errors.Join(err, i.Close())
}

// serve runs the services until ctx ends or one fails, and waits for all of
// them, but not longer than stopPatience.
func (i *Instance) serve(ctx context.Context, l net.Listener, ready func()) error {
	g, ctx := errgroup.WithContext(ctx)
	server := &rpc.Server{Client: i.core, Log: i.folder.log}
	if i.opts.Window {
		server.RequestWindow = i.core.RequestWindow
	}
	g.Go(func() error { return server.Serve(ctx, l) })
	g.Go(func() error { return i.core.Run(ctx) })
	if i.net != nil {
		g.Go(func() error { return i.net.started(ctx, i.core, ready) })
	} else if ready != nil {
		ready()
	}
	return waitBounded(ctx, g.Wait, stopPatience)
}

// waitBounded waits for wait, and after ctx has ended not longer than patience.
func waitBounded(ctx context.Context, wait func() error, patience time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		return errSlowStop
	}
}

// Close gives the profile back. It is called by Run; a caller needs it for an
// instance that it never ran.
func (i *Instance) Close() error {
	i.closing.Do(func() {
		if i.files != nil {
			i.closed = i.files.Close()
		}
		i.closed = errors.Join(i.closed, i.closeStore(), i.folder.release())
	})
	return i.closed
}

// closeStore folds the WAL into the database. A transaction that never ends must
// not keep the process: the WAL is durable as it is.
func (i *Instance) closeStore() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := waitBounded(ctx, i.store.Close, stopPatience); err != nil {
		i.folder.log.Error("database did not close", "err", err)
		return fmt.Errorf("run: close database: %w", storeError(err))
	}
	return nil
}
