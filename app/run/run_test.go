package run

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/rpc"
	"github.com/kuvert-im/kuvert/p2p/node"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newProfile makes a profile and a runtime folder of its own.
func newProfile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kuvert-") // short: sockets lie in it
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_DATA_HOME", dir)
	t.Setenv(keyFileEnv, filepath.Join(dir, "key"))
	profile := filepath.Join(dir, "profile")
	must(t, Create(t.Context(), profile, core.NewProfile{Name: "Alice", Network: core.NetworkLAN}, Protection{}))
	return profile
}

// runInstance runs an instance until the test stops it.
func runInstance(t *testing.T, o Options) (stop func() error) {
	t.Helper()
	inst, err := Open(t.Context(), o)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- inst.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("ended before it was ready: %v", err)
	}
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return stop
}

func loopback(dir string) Options {
	return Options{Dir: dir, Listen: "127.0.0.1:0", NoDiscovery: true}
}

func TestLifeOfAProfile(t *testing.T) {
	dir := newProfile(t)
	if err := Create(t.Context(), dir, core.NewProfile{Name: "Bob"}, Protection{}); !errors.Is(err, chat.ErrProfileExists) {
		t.Errorf("a second profile: %v", err)
	}
	if _, err := Attach(t.Context(), dir); !errors.Is(err, rpc.ErrNotRunning) {
		t.Errorf("attached to nothing: %v", err)
	}
	windowed := loopback(dir)
	windowed.Window = true
	stop := runInstance(t, windowed)
	if _, err := Open(t.Context(), loopback(dir)); !errors.Is(err, chat.ErrProfileBusy) {
		t.Errorf("opened twice: %v", err)
	}
	s, err := AttachOrOpen(t.Context(), loopback(dir))
	must(t, err)
	if s.Instance != nil {
		t.Error("opened instead of attached")
	}
	me, err := s.Whoami(t.Context())
	if err != nil || me.Name != "Alice" {
		t.Errorf("%v, %v", me, err)
	}
	sub, err := s.Subscribe(t.Context())
	must(t, err)
	if shown, err := s.RequestWindow(t.Context()); !shown || err != nil {
		t.Errorf("window: %v, %v", shown, err)
	}
	events, err := sub.Next(t.Context())
	if err != nil || len(events) != 1 || events[0].Kind != "window_requested" {
		t.Errorf("%v, %v", events, err)
	}
	must(t, stop())
	<-s.Done()
	_ = s.Close()

	s, err = AttachOrOpen(t.Context(), Options{Dir: dir, Offline: true})
	must(t, err)
	if s.Instance == nil {
		t.Error("attached instead of opened")
	}
	must(t, s.Close())

	stop = runInstance(t, loopback(dir))
	s, err = Attach(t.Context(), dir)
	must(t, err)
	if shown, err := s.RequestWindow(t.Context()); shown || err != nil {
		t.Errorf("a headless process shows a window: %v, %v", shown, err)
	}
	_ = s.Close()
	must(t, stop())
	for _, file := range []string{"kuvert.db-wal", "kuvert.db-shm"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err == nil && info.Size() > 0 && strings.HasSuffix(file, "wal") {
			t.Errorf("%s was left with %d bytes", file, info.Size())
		}
	}
}

// TestBriefHolder takes the profile for a moment: AttachOrOpen waits for it.
func TestBriefHolder(t *testing.T) {
	dir := newProfile(t)
	inst, err := Open(t.Context(), Options{Dir: dir, Offline: true})
	must(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := AttachOrOpen(t.Context(), Options{Dir: dir, Offline: true})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	must(t, inst.Close())
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	inst, err = Open(t.Context(), Options{Dir: dir, Offline: true})
	must(t, err)
	defer inst.Close()
	cancel()
	if _, err := AttachOrOpen(ctx, Options{Dir: dir}); !errors.Is(err, chat.ErrProfileBusy) {
		t.Errorf("a holder that stays: %v", err)
	}
}

func TestNoProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, chat.ErrNoProfile) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was made")
	}
	if exists, err := Exists(dir); exists || err != nil {
		t.Errorf("%v, %v", exists, err)
	}
}

// TestFatalErrorEndsAll takes the port: the network's error ends Run, and the
// profile is free afterwards.
func TestFatalErrorEndsAll(t *testing.T) {
	dir := newProfile(t)
	stop := runInstance(t, loopback(dir))
	s, err := Attach(t.Context(), dir)
	must(t, err)
	net, err := s.Network(t.Context())
	must(t, err)
	_ = s.Close()
	other := newProfile(t)
	o := loopback(other)
	o.Listen = net.Addrs[0]
	inst, err := Open(t.Context(), o)
	must(t, err)
	if err := inst.Run(t.Context(), nil); !errors.Is(err, chat.ErrPortTaken) {
		t.Errorf("port %s: %v", o.Listen, err)
	}
	inst, err = Open(t.Context(), Options{Dir: other, Offline: true})
	must(t, err)
	must(t, inst.Close())
	must(t, stop())
}

func TestListenOn(t *testing.T) {
	for addr, want := range map[string]struct {
		port     int
		loopback bool
		insist   bool
		ok       bool
	}{
		"127.0.0.1:0": {4000, true, false, true}, "127.0.0.1:77": {77, true, true, true},
		":77": {77, false, true, true}, "[::1]:77": {77, true, true, true}, "0.0.0.0:0": {4000, false, false, true},
		"localhost:0": {4000, true, false, true},
		"":            {}, "77": {}, "1.2.3.4:77": {}, ":70000": {}, ":-1": {}, "example.org:1": {},
	} {
		cfg := node.Config{Port: 4000}
		insist, err := listenOn(&cfg, addr)
		if (err == nil) != want.ok || err != nil && !errors.Is(err, ErrListen) {
			t.Errorf("%q: %v", addr, err)
		}
		if want.ok && (cfg.Port != want.port || cfg.Loopback != want.loopback || insist != want.insist) {
			t.Errorf("%q: %+v, %v", addr, cfg, insist)
		}
	}
}

func TestLogStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.log")
	w, err := openLog(path)
	must(t, err)
	log := slog.New(slog.NewTextHandler(w, nil))
	for range 3 * maxLog / 1000 {
		log.Info(strings.Repeat("x", 1000))
	}
	must(t, w.Close())
	log.Info("after the end")
	for _, file := range []string{path, path + ".1"} {
		info, err := os.Stat(file)
		must(t, err)
		if info.Size() > maxLog || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, %v", file, info.Size(), info.Mode())
		}
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if len(files) != 2 {
		t.Errorf("%v", files)
	}
	w, err = openLog(path)
	must(t, err)
	if w.size == 0 {
		t.Error("an existing log begins at 0")
	}
	must(t, w.Close())
}

func TestWaitBounded(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	never := make(chan struct{})
	defer close(never)
	if err := waitBounded(ended, func() error { <-never; return nil }, time.Millisecond); !errors.Is(err, errSlowStop) {
		t.Errorf("%v", err)
	}
	boom := errors.New("boom")
	if err := waitBounded(t.Context(), func() error { return boom }, time.Hour); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
	if err := waitBounded(ended, func() error { return boom }, time.Hour); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "/home/alice")
	dir, err := DefaultDir()
	if err != nil || !filepath.IsAbs(dir) || !strings.EqualFold(filepath.Base(dir), "kuvert") {
		t.Errorf("%q, %v", dir, err)
	}
}
