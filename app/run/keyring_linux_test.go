package run

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/kuvert-im/kuvert/app/chat"
)

// The parts of the Secret Service (freedesktop.org) that are asked for.
const (
	secretsName = "org.freedesktop.secrets"
	secretsPath = dbus.ObjectPath("/org/freedesktop/secrets")
	loginPath   = secretsPath + "/collection/login"
	noPrompt    = dbus.ObjectPath("/")
)

// secretService is a keyring on a bus of its own, with one open collection.
type secretService struct {
	mu    sync.Mutex
	conn  *dbus.Conn
	items map[dbus.ObjectPath]*secretItem
	next  int
	hang  chan struct{} // Unlock waits until it is closed
}

type secret struct {
	Session           dbus.ObjectPath
	Parameters, Value []byte
	ContentType       string
}

type secretItem struct {
	s      *secretService
	path   dbus.ObjectPath
	attrs  map[string]string
	secret secret
}

type secretSession struct{}

func (secretSession) Close() *dbus.Error { return nil }

func (s *secretService) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), secretsPath + "/session/1", nil
}

func (s *secretService) Unlock(paths []dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return paths, noPrompt, nil
}

// Get is of org.freedesktop.DBus.Properties: the list of collections.
func (s *secretService) Get(string, string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant([]dbus.ObjectPath{loginPath}), nil
}

func (s *secretService) SearchItems(attrs map[string]string) ([]dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []dbus.ObjectPath{}
	for path, item := range s.items {
		if item.attrs["service"] == attrs["service"] && item.attrs["username"] == attrs["username"] {
			out = append(out, path)
		}
	}
	return out, nil
}

func (s *secretService) CreateItem(props map[string]dbus.Variant, sec secret, _ bool) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	attrs, _ := props["org.freedesktop.Secret.Item.Attributes"].Value().(map[string]string)
	s.next++
	item := &secretItem{s: s, path: loginPath + dbus.ObjectPath("/"+strconv.Itoa(s.next)), attrs: attrs, secret: sec}
	s.items[item.path] = item
	if err := s.conn.Export(item, item.path, "org.freedesktop.Secret.Item"); err != nil {
		return "", "", dbus.MakeFailedError(err)
	}
	return item.path, noPrompt, nil
}

func (i *secretItem) GetSecret(dbus.ObjectPath) (secret, *dbus.Error) { return i.secret, nil }

func (i *secretItem) Delete() (dbus.ObjectPath, *dbus.Error) {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	delete(i.s.items, i.path)
	return noPrompt, nil
}

// startBus starts a session bus for this test and makes it the program's.
func startBus(t *testing.T) (address string) {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	address = strings.TrimSpace(line)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	return address
}

// startService offers a keyring on the bus.
func startService(t *testing.T, address string) *secretService {
	t.Helper()
	conn, err := dbus.Connect(address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	s := &secretService{conn: conn, items: map[dbus.ObjectPath]*secretItem{}}
	must(t, conn.Export(s, secretsPath, "org.freedesktop.Secret.Service"))
	must(t, conn.Export(s, secretsPath, "org.freedesktop.DBus.Properties"))
	must(t, conn.Export(s, loginPath, "org.freedesktop.Secret.Collection"))
	must(t, conn.Export(secretSession{}, secretsPath+"/session/1", "org.freedesktop.Secret.Session"))
	reply, err := conn.RequestName(secretsName, dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("name on the bus: %v, %v", reply, err)
	}
	return s
}

// TestSecretService goes through the real library and a real bus: without a bus,
// without a keyring on it, with one, with one that forgets, and with one that hangs.
func TestSecretService(t *testing.T) {
	l := newLogin(t)
	keyrings = newRings(systemRing{}, 2*time.Second) // newLogin puts the other one back
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(l.home, "nowhere"))
	_, err := l.create("alice", Protection{})
	wants(t, "no bus", err, chat.ErrNoKeyring)

	address := startBus(t)
	_, err = l.create("alice", Protection{})
	wants(t, "no keyring on the bus", err, chat.ErrNoKeyring)

	s := startService(t, address)
	dir := l.made("alice", Protection{})
	wants(t, "a keyring", opens(t, dir, Unlock{}))
	if len(s.items) != 1 {
		t.Fatalf("%d items", len(s.items))
	}
	hang := make(chan struct{})
	s.mu.Lock()
	s.hang = hang
	s.mu.Unlock()
	wants(t, "hangs", opens(t, dir, Unlock{}), chat.ErrLocked, chat.ErrNoKeyring)
	s.mu.Lock()
	s.hang = nil
	s.mu.Unlock()
	close(hang)
	wants(t, "answers again", opens(t, dir, Unlock{}))

	v, _, err := readVault(dir)
	must(t, err)
	must(t, keyringDelete(t.Context(), v.ID()))
	wants(t, "forgets", opens(t, dir, Unlock{}), chat.ErrLocked, chat.ErrKeyringEmpty)
	if err := keyringDelete(t.Context(), v.ID()); !errors.Is(err, chat.ErrKeyringEmpty) {
		t.Errorf("deleted twice: %v", err)
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != address {
		t.Error("another bus was started")
	}
}
