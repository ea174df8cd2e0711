package files

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
)

// LocalPath is a file URI's path, unescaped; "" for anything that is no local
// file.
func LocalPath(u fyne.URI) string {
	if u.Scheme() != "file" {
		return ""
	}
	p := u.Path()
	if _, err := os.Stat(p); err == nil {
		return p
	}
	if plain, err := url.PathUnescape(p); err == nil {
		return plain
	}
	return p
}

// LocalPaths are the paths of what was dragged into the window.
func LocalPaths(items []fyne.URI) []string {
	var out []string
	for _, u := range items {
		if p := LocalPath(u); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// maxPasted bounds how many lines of a pasted text are looked at as paths.
const maxPasted = 200

// PastedPaths reads what file managers leave in the clipboard when files are
// copied: their addresses or paths, one a line. It returns nil for any other text,
// and does not look whether the files exist.
func PastedPaths(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > maxPasted {
		return nil
	}
	var out []string
	for i, l := range lines {
		l = strings.TrimRight(l, "\r")
		switch {
		case i < 2 && (l == "x-special/nautilus-clipboard" || l == "copy" || l == "cut"):
			continue
		case strings.HasPrefix(l, "file://"):
			u, err := url.Parse(l)
			if err != nil || u.Path == "" {
				return nil
			}
			l = u.Path
			if filepath.VolumeName(strings.TrimPrefix(l, "/")) != "" { // file:///C:/…
				l = filepath.FromSlash(strings.TrimPrefix(l, "/"))
			}
		}
		if !filepath.IsAbs(l) {
			return nil
		}
		out = append(out, l)
	}
	return out
}

// Exist reports whether there is something at every path.
func Exist(paths []string) bool {
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			return false
		}
	}
	return len(paths) > 0
}

// pasteFolder begins the names of the folders in which pasted pictures wait to be
// sent.
const pasteFolder = "kuvert-paste-"

// Keep puts a pasted picture into a file of this name, for this user alone: in
// memory where the system has such a folder. Forget takes it away.
func Keep(name string, data []byte) (string, error) {
	dir, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), ownPastes()+"*")
	if err != nil {
		dir, err = os.MkdirTemp("", ownPastes()+"*")
	}
	if err != nil {
		return "", fmt.Errorf("files: %w", err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("files: %w", errors.Join(err, os.RemoveAll(dir)))
	}
	return path, nil
}

// ownPastes begins the names of this process's folders.
func ownPastes() string { return fmt.Sprintf("%s%d-", pasteFolder, os.Getpid()) }

// pasteRoots are where the folders lie.
func pasteRoots() []string {
	roots := []string{filepath.Clean(os.TempDir())}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		roots = append(roots, filepath.Clean(dir))
	}
	return roots
}

// Forget removes those of the files that Keep made, and no others.
func Forget(paths []string) {
	for _, p := range paths {
		dir := filepath.Dir(p)
		if strings.HasPrefix(filepath.Base(dir), ownPastes()) && slices.Contains(pasteRoots(), filepath.Dir(dir)) {
			_ = os.RemoveAll(dir) // ForgetAll tries again
		}
	}
}

// oldPaste is after how long a pasted picture must be another process's remains:
// its number may be that of some other program by now.
const oldPaste = 24 * time.Hour

// ForgetAll removes what Keep made in this process, and what a crash left.
func ForgetAll() {
	for _, tmp := range pasteRoots() {
		all, _ := filepath.Glob(filepath.Join(tmp, pasteFolder+"*")) // the pattern is right
		for _, dir := range all {
			pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), pasteFolder), "-")
			st, err := os.Stat(dir)
			if pid == strconv.Itoa(os.Getpid()) || !running(pid) || err == nil && time.Since(st.ModTime()) > oldPaste {
				_ = os.RemoveAll(dir) // somebody else's stay
			}
		}
	}
}

// running reports whether there is a process of that number; for anything that is
// no number it does not know better.
func running(number string) bool {
	pid, err := strconv.Atoi(number)
	if err != nil || pid <= 0 {
		return true
	}
	p, err := os.FindProcess(pid)
	if err != nil { // Windows knows at once
		return false
	}
	defer func() { _ = p.Release() }()
	return runtime.GOOS == "windows" || !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
