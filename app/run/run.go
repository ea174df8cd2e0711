// Package run is the one place where Kuvert is put together: the profile's
// folder and its lock, the store, the core, the network and the local socket,
// for the desktop app and for the headless program alike. It imports everything
// but the screens.
//
// A profile belongs to one process at a time. Open takes it; AttachOrOpen talks
// to the process that has it, if there is one. It promises: nothing of a profile
// is touched before its lock is held; what was started ends in the reverse order
// (calls, services, network, database, lock, log), in a bounded time; errors
// wrap the sentinels of app/chat.
package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/rpc"
)

// How long things may take.
const (
	// attachPatience is how long a profile may be taken by a process that does
	// not answer: one that is starting, stopping, or a brief command.
	attachPatience = 10 * time.Second
	attachEvery    = 25 * time.Millisecond
	// stopPatience is how long the services may take to end.
	stopPatience = 10 * time.Second
)

// Options say which profile to open and how.
type Options struct {
	// Dir is the profile's folder; "" is DefaultDir.
	Dir string
	// Unlock opens the profile's vault.
	Unlock Unlock
	// Offline opens the profile without any network: for a brief command, whose
	// messages wait in the outbox until the profile is served.
	Offline bool
	// Listen is "HOST:PORT" to listen on instead of the port that the profile
	// used last. HOST is empty for all interfaces, or this machine's own loopback
	// address. A port that is taken is then an error.
	Listen string
	// Window says that this process has a window, which another start of the
	// profile may ask for.
	Window bool
	// NoDiscovery neither announces this machine in the network nor looks for
	// others there.
	NoDiscovery bool
}

// Session is a profile at work, here or in another process.
type Session struct {
	core.Client
	// Instance is what was opened here; nil if another process has the profile.
	Instance *Instance

	remote *rpc.Client
}

// Close ends the session: a connection, or a profile that was opened here and
// that nobody runs.
func (s *Session) Close() error {
	if s.remote != nil {
		return s.remote.Close()
	}
	return s.Instance.Close()
}

// Done is closed when the other process went away; nil for a profile that was
// opened here.
func (s *Session) Done() <-chan struct{} {
	if s.remote == nil {
		return nil
	}
	return s.remote.Done()
}

// RequestWindow asks the process that has the profile to show its window, and
// reports whether it has one.
func (s *Session) RequestWindow(ctx context.Context) (bool, error) {
	if s.remote == nil {
		return false, nil
	}
	return s.remote.RequestWindow(ctx)
}

// Attach connects to the process that runs the profile in dir. The error wraps
// rpc.ErrNotRunning if there is none.
func Attach(ctx context.Context, dir string) (*Session, error) {
	dir, err := resolve(dir)
	if err != nil {
		return nil, err
	}
	c, err := rpc.Dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Session{Client: c, remote: c}, nil
}

// AttachOrOpen connects to the process that runs the profile, or opens it here.
// A profile that is taken by a process that does not answer for a while is
// chat.ErrProfileBusy.
func AttachOrOpen(ctx context.Context, o Options) (*Session, error) {
	waited := time.NewTimer(attachPatience)
	defer waited.Stop()
	for {
		s, err := Attach(ctx, o.Dir)
		if !errors.Is(err, rpc.ErrNotRunning) && !errors.Is(err, rpc.ErrClosed) {
			return s, err
		}
		inst, err := Open(ctx, o)
		if err == nil {
			return &Session{Client: inst.Client(), Instance: inst}, nil
		}
		if !errors.Is(err, chat.ErrProfileBusy) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-waited.C:
			return nil, err
		case <-time.After(attachEvery):
		}
	}
}

// explain adds the sentinel that a caller can decide on to an error of the
// operating system about the profile's folder.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission), isReadOnly(err):
		return fmt.Errorf("%w: %w", chat.ErrReadOnly, err)
	case isDiskFull(err):
		return fmt.Errorf("%w: %w", chat.ErrDiskFull, err)
	default:
		return err
	}
}
