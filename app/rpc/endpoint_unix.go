//go:build !windows

package rpc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxSocketPath is what fits into a sockaddr_un on macOS, the shortest.
const maxSocketPath = 103

// place is a folder where the socket may lie.
type place struct {
	dir  string
	make bool // ours to make
}

// places are those folders, best first. All are tried when dialling: a process
// started by cron knows no XDG_RUNTIME_DIR and must still find the others.
func places() []place {
	uid := strconv.Itoa(os.Getuid())
	var ps []place
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		ps = append(ps, place{dir: d})
	}
	return append(ps,
		place{dir: "/run/user/" + uid},
		place{dir: filepath.Join(os.TempDir(), "kuvert-"+uid), make: true},
		place{dir: "/tmp/kuvert-" + uid, make: true})
}

// private checks that a folder is this user's own and open to nobody else.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != os.Getuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("rpc: %s is not a private folder: %w", dir, fs.ErrPermission)
	}
	return nil
}

// Listen opens the socket of a profile for this user alone. The caller holds the
// profile's lock: a socket that lies there already is a dead process's.
func Listen(ctx context.Context, profile string) (net.Listener, error) {
	var tried error
	for _, p := range places() {
		if p.make {
			_ = os.Mkdir(p.dir, 0o700) // private tells whether it is ours
		}
		l, err := listenIn(ctx, p.dir, endpointName(profile))
		if err == nil {
			return l, nil
		}
		tried = errors.Join(tried, err)
	}
	return nil, fmt.Errorf("rpc: no place for the local socket: %w", tried)
}

func listenIn(ctx context.Context, dir, name string) (net.Listener, error) {
	if err := private(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("rpc: %s is too long for a socket", dir)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var cfg net.ListenConfig
	l, err := cfg.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// Dial connects to the running instance of a profile. ErrNotRunning if nobody
// answers.
func Dial(ctx context.Context, profile string) (*Client, error) {
	name := endpointName(profile)
	for _, p := range places() {
		path := filepath.Join(p.dir, name)
		if private(p.dir) != nil || len(path) > maxSocketPath {
			continue
		}
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "unix", path); err == nil {
			return NewClient(ctx, conn)
		}
	}
	return nil, errors.Join(ErrNotRunning, ctx.Err())
}
