package run

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/libp2p/go-libp2p/gologshim"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run/netport"
	"github.com/kuvert-im/kuvert/crypto/vault"
	"github.com/kuvert-im/kuvert/p2p/node"
	"github.com/kuvert-im/kuvert/storage/mailstore"
)

// ErrListen: Options.Listen is not an address that can be listened on.
var ErrListen = errors.New("run: not an address to listen on")

// transport is the network of a profile.
type transport struct {
	*netport.Transport
	insist bool          // on the port: another one is no help
	up     chan struct{} // closed when the network is up
	stop   context.CancelCauseFunc
}

// newTransport makes the network of a profile in dir; it does nothing before Run.
// mail is the key of what this machine keeps of others' mail.
func newTransport(ctx context.Context, dir string, o Options, store core.Store, mail vault.Key, log *slog.Logger) (*transport, error) {
	seed, port, lanOnly, err := core.Endpoint(ctx, store)
	if err != nil {
		return nil, err
	}
	// The library's own log holds addresses of machines.
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	cfg := node.Config{
		HostKey: ed25519.NewKeyFromSeed(seed[:]), Port: port, LANOnly: lanOnly,
		NoMDNS: o.NoDiscovery, NoBroadcast: o.NoDiscovery, NoRouter: o.NoDiscovery, Logger: log,
		OpenMail: func(context.Context) (node.MailStore, error) { return openMail(dir, mail, log) },
	}
	t := &transport{up: make(chan struct{})}
	if o.Listen != "" {
		if t.insist, err = listenOn(&cfg, o.Listen); err != nil {
			return nil, err
		}
	}
	n, err := node.New(cfg)
	if err != nil {
		return nil, err
	}
	t.Transport = netport.New(n, t.isUp)
	return t, nil
}

// openMail opens what this machine keeps of others' mail. One that is damaged is begun
// anew: its senders have it all, and one's own messages must not wait for it.
func openMail(dir string, key vault.Key, log *slog.Logger) (node.MailStore, error) {
	path, o := filepath.Join(dir, mailFile), mailstore.Options{Key: (*[vault.KeySize]byte)(&key), Log: log}
	s, err := mailstore.Open(path, o)
	if errors.Is(err, chat.ErrCorrupt) {
		log.Error("mail of others is damaged and begun anew", "err", err)
		for _, suffix := range []string{"-shm", "-wal", ""} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, explain(fmt.Errorf("run: mail of others: %w", err))
			}
		}
		s, err = mailstore.Open(path, o)
	}
	if err != nil {
		return nil, explain(fmt.Errorf("run: mail of others: %w", err))
	}
	return s, nil
}

// listenOn reads Options.Listen. Port 0 means the one used last.
func listenOn(cfg *node.Config, addr string) (insist bool, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrListen, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrListen, err)
	}
	switch host {
	case "", "0.0.0.0", "::":
	case "localhost", "127.0.0.1", "::1":
		cfg.Loopback = true
	default:
		return false, fmt.Errorf("%w: host %q", ErrListen, host)
	}
	if n != 0 {
		cfg.Port = int(n)
	}
	return n != 0, nil
}

// Run implements core.Transport.
func (t *transport) Run(ctx context.Context, h core.TransportHandler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.stop = cancel
	err := t.Transport.Run(ctx, h)
	if errors.Is(context.Cause(ctx), chat.ErrPortTaken) {
		return chat.ErrPortTaken
	}
	return err
}

// isUp is called once, when the node is up.
func (t *transport) isUp() {
	if t.insist && t.State().PortTaken {
		t.stop(chat.ErrPortTaken)
		return
	}
	close(t.up)
}

// started waits for the network, remembers its port and reports it ready.
func (t *transport) started(ctx context.Context, c *core.Core, ready func()) error {
	select {
	case <-ctx.Done():
		return nil
	case <-t.up:
	}
	// With a full disk it is not remembered, and the person is told of the disk.
	err := c.KeepPort(ctx, t.State().Port)
	if err != nil && !errors.Is(err, chat.ErrDiskFull) && ctx.Err() == nil {
		return fmt.Errorf("run: remember the port: %w", err)
	}
	if ready != nil {
		ready()
	}
	return nil
}
