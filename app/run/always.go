package run

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/gologshim"
	"golang.org/x/sync/errgroup"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/server"
	"github.com/kuvert-im/kuvert/storage/mailstore"
)

// What lies in the folder of an always-on node, beside the lock and the log.
const (
	nodeKeysFile = "node.json" // host key and access token: whoever has it is the node
	nodeMailFile = "mail.db"
)

// Limits of an always-on node.
const (
	// nodeMemory replaces frugalLimit: many connections and a large database.
	nodeMemory = 128 << 20
	// maxNodeKeys bounds the file of keys, in bytes.
	maxNodeKeys = 4 << 10
	// mailPatience is how long the mail may take to close after the server has.
	mailPatience = 4 * time.Second
	// sweepEvery is how often mail that is too old is looked for, sweepStep the
	// pause between two steps of that, which leaves the disk to the people.
	sweepEvery = time.Hour
	sweepStep  = 20 * time.Millisecond
	// metricsPatience bounds a request for the metrics.
	metricsPatience = 5 * time.Second
)

// Errors of RunNode besides chat.ErrProfileBusy, chat.ErrPortTaken, chat.ErrDiskFull,
// chat.ErrCorrupt, chat.ErrNewerSchema and ErrListen.
var (
	// ErrNodeFolder: the folder cannot be made, read or written.
	ErrNodeFolder = errors.New("run: folder of the node")
	// ErrNodeKeys: the file with the node's keys is damaged.
	ErrNodeKeys = errors.New("run: keys of the node are damaged")
	// ErrAnnounce: not an address that others could dial.
	ErrAnnounce = errors.New("run: not an address to announce")
	// ErrMetrics: the metrics are for this machine alone.
	ErrMetrics = errors.New("run: not a loopback address for the metrics")
)

// NodeOptions say how to run an always-on node.
type NodeOptions struct {
	// Dir is the node's folder; it is made if it is missing.
	Dir string
	// Listen is "IP:PORT". No IP, or [::], means both families on every interface.
	Listen string
	// Announce are addresses to tell besides the interfaces' own, "IP:PORT" or "IP".
	Announce []string
	// NoRelay keeps mail alone.
	NoRelay bool
	// Quota is how many bytes are kept for all who hold the link, Retention for how
	// long; 0 is the default of the mailbox.
	Quota     int64
	Retention time.Duration
	// Metrics is a loopback "IP:PORT" where counts can be read, "" for none.
	Metrics string
	// NewLink makes a new access link first; the old one is not valid any more.
	NewLink bool
}

// NodeReady is a node that listens.
type NodeReady struct {
	Link    string   // the access link
	ID      string   // the host key, hexadecimal
	Addrs   []string // IP:PORT, best first
	Metrics string   // where the counts are read, "" for nowhere
}

// RunNode runs an always-on node until ctx ends: a mailbox, and a relay for those
// who hold its link. ready is called once it listens. It holds no profile and knows
// nobody.
func RunNode(ctx context.Context, o NodeOptions, ready func(NodeReady)) (err error) {
	debug.SetMemoryLimit(nodeMemory)
	cfg, err := nodeConfig(o)
	if err != nil {
		return err
	}
	f, err := takeNode(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.release()) }()
	// The library's own log holds addresses of machines.
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	cfg.Logger = f.log
	if err := f.runNode(ctx, o, cfg, ready); err != nil {
		f.log.Error("node ended by a fault", "err", err)
		return err
	}
	f.log.Info("node stopped")
	return nil
}

// nodeConfig reads what the options say of addresses.
func nodeConfig(o NodeOptions) (server.Config, error) {
	cfg := server.Config{NoRelay: o.NoRelay}
	var err error
	if cfg.Listen, err = listenAddr(o.Listen); err != nil {
		return cfg, fmt.Errorf("%w: %w", ErrListen, err)
	}
	for _, text := range o.Announce {
		a, err := announceAddr(text, cfg.Listen.Port())
		if err != nil {
			return cfg, err
		}
		cfg.Announce = append(cfg.Announce, a)
	}
	if o.Metrics == "" {
		return cfg, nil
	}
	if a, err := netip.ParseAddrPort(o.Metrics); err != nil || !a.Addr().IsLoopback() {
		return cfg, ErrMetrics
	}
	return cfg, nil
}

func listenAddr(text string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		host = netip.IPv6Unspecified().String()
	}
	return netip.ParseAddrPort(net.JoinHostPort(host, port))
}

func announceAddr(text string, port uint16) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return a, fmt.Errorf("%w: %w", ErrAnnounce, err)
		}
		a = netip.AddrPortFrom(ip, port)
	}
	if ip := a.Addr(); ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" || a.Port() == 0 {
		return a, fmt.Errorf("%w: %s", ErrAnnounce, text)
	}
	return a, nil
}

// takeNode makes and locks the folder. chat.ErrProfileBusy if another process has it.
func takeNode(dir string) (*folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNodeFolder, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNodeFolder, explain(err))
	}
	f, err := take(dir)
	if err != nil && !errors.Is(err, chat.ErrProfileBusy) {
		err = fmt.Errorf("%w: %w", ErrNodeFolder, err)
	}
	return f, err
}

func (f *folder) runNode(ctx context.Context, o NodeOptions, cfg server.Config, ready func(NodeReady)) (err error) {
	keys, err := f.nodeKeys(o.NewLink)
	if err != nil {
		return err
	}
	store, err := f.openMail(ctx, o, keys.Token)
	if err != nil {
		return mailError(err)
	}
	defer func() { err = errors.Join(err, f.closeMail(store)) }()
	cfg.HostKey = ed25519.NewKeyFromSeed(keys.Host)
	cfg.Mail = mailbox.NewServer(store, mailbox.DefaultLimits())
	s, err := server.Open(cfg)
	if err != nil {
		return nodeError(err)
	}
	told, err := keys.tell(s, !o.NoRelay)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return f.serveNode(ctx, s, store, o, told, ready)
}

// openMail opens the mail for who holds the token.
func (f *folder) openMail(ctx context.Context, o NodeOptions, token []byte) (*mailstore.Store, error) {
	store, err := mailstore.Open(filepath.Join(f.dir, nodeMailFile), mailstore.Options{Life: o.Retention, Log: f.log})
	if err != nil {
		return nil, err
	}
	if err := store.Allow(ctx, map[[32]byte]int64{[32]byte(token): o.Quota}); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// closeMail folds the WAL into the database, within a bounded time: it is durable as
// it is.
func (f *folder) closeMail(store *mailstore.Store) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := waitBounded(ctx, store.Close, mailPatience); err != nil {
		f.log.Error("mail did not close", "err", err)
		return mailError(err)
	}
	return nil
}

// sweepMail deletes what is too old until ctx ends. A store that has stopped for a
// fault of the disk is the end of the node; a full disk may get room again.
func (f *folder) sweepMail(ctx context.Context, store *mailstore.Store) error {
	for ctx.Err() == nil {
		more, err := store.Sweep(ctx)
		if errors.Is(err, mailstore.ErrStopped) || errors.Is(err, mailstore.ErrIO) {
			return mailError(err)
		}
		if err != nil && ctx.Err() == nil {
			f.log.Error("old mail was not deleted", "err", err)
		}
		wait := sweepEvery
		if more && err == nil {
			wait = sweepStep
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// mailError gives the store's errors the sentinels of the domain.
func mailError(err error) error {
	if errors.Is(err, mailstore.ErrIO) {
		return fmt.Errorf("%w: %w", chat.ErrDisk, err)
	}
	return explain(err)
}

// serveNode runs the services of a node until ctx ends or one of them fails.
func (f *folder) serveNode(ctx context.Context, s *server.Server, store *mailstore.Store, o NodeOptions, told NodeReady, ready func(NodeReady)) error {
	g, ctx := errgroup.WithContext(ctx)
	if o.Metrics != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Metrics)
		if err != nil {
			return errors.Join(nodeError(fmt.Errorf("%w: %w", server.ErrPortTaken, err)), s.Close())
		}
		told.Metrics = "http://" + l.Addr().String() + "/metrics"
		g.Go(func() error { return serveMetrics(ctx, l, s) })
	}
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { return f.sweepMail(ctx, store) })
	ready(told)
	return g.Wait()
}

// nodeError gives the server's errors the sentinels of the domain.
func nodeError(err error) error {
	switch {
	case errors.Is(err, server.ErrPortTaken):
		return fmt.Errorf("%w: %w", chat.ErrPortTaken, err)
	case errors.Is(err, server.ErrListen):
		return fmt.Errorf("%w: %w", ErrListen, err)
	}
	return err
}

// serveMetrics answers GET /metrics on loopback until ctx ends.
func serveMetrics(ctx context.Context, l net.Listener, s *server.Server) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		m, err := s.Metrics(r.Context())
		if err != nil {
			http.Error(w, "the mailbox does not answer", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = m.WriteTo(w)
	})
	srv := &http.Server{Handler: mux, ReadTimeout: metricsPatience, WriteTimeout: metricsPatience, MaxHeaderBytes: maxNodeKeys, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("run: metrics: %w", err)
	}
	return nil
}

// nodeKeys are what makes a node the one in its links.
type nodeKeys struct {
	Host  []byte `json:"host_key"` // Ed25519 seed; never changes
	Token []byte `json:"token"`    // the access token; --new-link replaces it
}

// nodeKeys reads the keys, or makes them at the first start.
func (f *folder) nodeKeys(newLink bool) (nodeKeys, error) {
	path := filepath.Join(f.dir, nodeKeysFile)
	k, err := readNodeKeys(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.Host, newLink = random(ed25519.SeedSize), true
	case err != nil:
		return k, err
	}
	if !newLink {
		return k, nil
	}
	k.Token = random(len(invite.NodeLink{}.Token))
	return k, writeNodeKeys(path, k)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func readNodeKeys(path string) (k nodeKeys, err error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxNodeKeys {
		return k, ErrNodeKeys
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return k, fmt.Errorf("%w: %w", ErrNodeFolder, explain(err))
	}
	zero := make([]byte, ed25519.SeedSize)
	if json.Unmarshal(b, &k) != nil || len(k.Host) != len(zero) || len(k.Token) != len(zero) ||
		subtle.ConstantTimeCompare(k.Host, zero) == 1 || subtle.ConstantTimeCompare(k.Token, zero) == 1 {
		return k, ErrNodeKeys
	}
	return k, nil
}

// writeNodeKeys replaces the file in one step: a crash leaves the old or the new one.
func writeNodeKeys(path string, k nodeKeys) error {
	b, err := json.Marshal(k) //nolint:gosec // this file is where the keys are kept
	if err != nil {
		return fmt.Errorf("run: keys of the node: %w", err)
	}
	fresh := path + ".new"
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNodeFolder, explain(err))
	}
	_, err = file.Write(append(b, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNodeFolder, explain(err))
	}
	return nil
}

// tell makes the access link of a node that listens.
func (k nodeKeys) tell(s *server.Server, relay bool) (NodeReady, error) {
	host := [32]byte(ed25519.NewKeyFromSeed(k.Host).Public().(ed25519.PublicKey))
	r := NodeReady{ID: fmt.Sprintf("%x", host)}
	var addrs []invite.Addr
	for _, a := range s.Addrs() {
		r.Addrs = append(r.Addrs, net.JoinHostPort(a.Addr().String(), strconv.Itoa(int(a.Port()))))
		quic, tcp := invite.QUIC6, invite.TCP6
		if a.Addr().Is4() {
			quic, tcp = invite.QUIC4, invite.TCP4
		}
		addrs = append(addrs, invite.Addr{Proto: quic, At: a}, invite.Addr{Proto: tcp, At: a})
	}
	link := invite.NodeLink{Host: host, Token: [32]byte(k.Token), Relay: relay, Addrs: invite.FitNodeAddrs(addrs)}
	var err error
	if r.Link, err = link.Text(); err != nil {
		return r, fmt.Errorf("run: access link: %w", err)
	}
	return r, nil
}
