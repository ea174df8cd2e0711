package main

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// inNamespace is set in the process that runs inside a network of its own.
const inNamespace = "KUVERT_TEST_NAMESPACE"

// TestPackets lets two people meet and write to each other in a network of their
// own, discovery included, records every packet, and looks for their names,
// their texts and their identity keys in it.
func TestPackets(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		reexec(t)
		return
	}
	network(t, "link", "set", "lo", "up")
	network(t, "link", "add", "va", "type", "veth", "peer", "name", "vb")
	network(t, "address", "add", "192.168.77.1/24", "dev", "va")
	network(t, "link", "set", "va", "up")
	network(t, "link", "set", "vb", "up")
	tap := capture(t)

	dir, env := testEnv(t)
	const nameA, nameB, textA, textB = "Aurelia Sommerfeld", "Bartholomäus Winter", "Ein ganz geheimer Satz, nur für Bartholomäus.", "Niemand sonst soll diese Antwort lesen."
	secrets := map[string][]byte{"name of alice": []byte(nameA), "name of bob": []byte(nameB), "text of alice": []byte(textA), "text of bob": []byte(textB)}
	var ids [2]chat.PersonID
	for i, p := range []struct{ dir, name string }{{dir + "/alice", nameA}, {dir + "/bob", nameB}} {
		var me struct {
			ID chat.PersonID `json:"id"`
		}
		runKuvertd(t, env, p.dir, &me, "init", "--name", p.name)
		ids[i] = me.ID
		for form, b := range forms(me.ID) {
			secrets[fmt.Sprintf("identity of %d, %s", i, form)] = b
		}
		d, err := startServe(p.dir, env)
		if err != nil {
			t.Fatal(err)
		}
		defer d.kill()
		if _, err := d.wait(); err != nil {
			t.Fatal(err)
		}
	}
	var inv invitation
	runKuvertd(t, env, dir+"/alice", &inv, "invite")
	runKuvertd(t, env, dir+"/bob", nil, "accept", inv.Invitation)
	runKuvertd(t, env, dir+"/bob", nil, "send", ids[0].String(), textB)
	awaitText(t, env, dir+"/alice", ids[1].String(), textB)
	runKuvertd(t, env, dir+"/alice", nil, "send", ids[1].String(), textA)
	awaitText(t, env, dir+"/bob", ids[0].String(), textA)
	runKuvertd(t, env, dir+"/bob", nil, "read", ids[0].String())

	packets := tap.seen()
	if len(packets) < 20 {
		t.Fatalf("only %d packets were seen: that cannot be all", len(packets))
	}
	for what, secret := range secrets {
		if i := find(packets, secret); i >= 0 {
			t.Errorf("%s is in packet %d of %d", what, i, len(packets))
		}
	}
	t.Logf("%d packets, %d secrets", len(packets), len(secrets))
	tap.mustSee(t, []byte(textA))
}

func awaitText(t *testing.T, env []string, profile, conversation, text string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		cmd := exec.Command(kuvertd, "--profile", profile, "--json", "messages", conversation)
		cmd.Env = env
		out, err := cmd.Output()
		if err == nil && strings.Contains(string(out), text) {
			return
		}
	}
	t.Fatalf("%q never arrived", text)
}

// reexec runs this test again in a new network namespace, as root of a user
// namespace where we are not root.
func reexec(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestPackets$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1", builtBinary+"="+kuvertd)
	cmd.SysProcAttr = ownNetwork()
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("in a network namespace: %v", err)
	}
}

// ownNetwork starts a process in a network without any interface that is up.
func ownNetwork() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return a
}

// TestNoNetwork serves on a computer without any network: that is said, and
// everything else works.
func TestNoNetwork(t *testing.T) {
	dir, env := testEnv(t)
	profile := dir + "/alice"
	runKuvertd(t, env, profile, nil, "init", "--name", "Alice")
	d := newDaemon(profile, env)
	d.cmd.SysProcAttr = ownNetwork()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	s, err := d.wait()
	if err != nil {
		t.Fatal(err)
	}
	if s.Trouble != core.TroubleNoNetwork {
		t.Errorf("trouble is %q", s.Trouble)
	}
	runKuvertd(t, env, profile, nil, "invite")
	if err := d.end(); err != nil {
		t.Error(err)
	}
	if d.stderr.Len() > 0 {
		t.Errorf("serve said: %s", d.stderr)
	}
}

func network(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// forms are the ways in which a key could be written into a packet.
func forms(id chat.PersonID) map[string][]byte {
	return map[string][]byte{
		"raw":    id[:],
		"base32": []byte(id.String()),
		"BASE32": []byte(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:])),
		"base64": []byte(base64.RawStdEncoding.EncodeToString(id[:])),
		"hex":    []byte(hex.EncodeToString(id[:])),
	}
}

func find(packets [][]byte, secret []byte) int {
	for i, p := range packets {
		if bytes.Contains(p, secret) {
			return i
		}
	}
	return -1
}

// tap records every packet on every interface.
type tap struct {
	mu      sync.Mutex
	packets [][]byte
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

func capture(t *testing.T) *tap {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(htons(unix.ETH_P_ALL)))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "packets")
	t.Cleanup(func() { file.Close() })
	w := &tap{}
	go func() {
		buf := make([]byte, 1<<17)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				return
			}
			w.mu.Lock()
			w.packets = append(w.packets, bytes.Clone(buf[:n]))
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *tap) seen() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.packets[:len(w.packets):len(w.packets)]
}

// mustSee sends a secret in the clear, and fails if it is not found.
func (w *tap) mustSee(t *testing.T, secret []byte) {
	t.Helper()
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		_, _ = conn.Write(append([]byte("leak: "), secret...))
		if find(w.seen(), secret) >= 0 {
			return
		}
	}
	t.Error("a packet in the clear was not found: the test sees nothing")
}
