package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	libp2pnet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"

	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
)

// The flood: so many attackers at once, and what they may cost the node.
const (
	attackers  = 1000
	floodCosts = 128 << 10 // KiB of resident memory
	// slowRound is how long an honest round may take meanwhile, on a busy machine.
	slowRound = 15 * time.Second
)

// floodRole makes this program an attacker or an honest member; its argument is a
// floodTask as JSON.
const floodRole = "KUVERT_TEST_FLOOD"

type floodTask struct {
	Attack bool
	Link   string
	From   []string // addresses to attack from
}

func init() {
	text := os.Getenv(floodRole)
	if text == "" {
		return
	}
	var t floodTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		panic(err)
	}
	link, err := invite.ParseNodeLink(t.Link)
	if err != nil {
		panic(err)
	}
	if t.Attack {
		attack(link, t.From)
	} else {
		honest(link)
	}
	os.Exit(0)
}

// floodTime is how long the attack lasts; KUVERT_SOAK makes it long.
func floodTime() time.Duration {
	if os.Getenv("KUVERT_SOAK") != "" {
		return 10 * time.Minute
	}
	return 15 * time.Second
}

func nodeInfo(link invite.NodeLink) peer.AddrInfo {
	pub, _ := crypto.UnmarshalEd25519PublicKey(link.Host[:])
	id, _ := peer.IDFromPublicKey(pub)
	at := link.Addrs[0].At
	return peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{
		ma.StringCast(fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", at.Addr(), at.Port())),
		ma.StringCast(fmt.Sprintf("/ip4/%s/tcp/%d", at.Addr(), at.Port())),
	}}
}

// honest is a member who puts a blob into a queue, lists and deletes it, and prints
// for each round how many milliseconds it took.
func honest(link invite.NodeLink) {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.DisableRelay())
	if err != nil {
		panic(err)
	}
	node := nodeInfo(link)
	mail := mailbox.NewClient(func(ctx context.Context) (libp2pnet.Stream, error) {
		if err := h.Connect(ctx, node); err != nil {
			return nil, err
		}
		return h.NewStream(ctx, node.ID, mailbox.ID)
	})
	var q mailbox.QueueIDs
	for _, b := range [][]byte{q.RecvID[:], q.RecvCap[:], q.SendID[:], q.SendCap[:]} {
		_, _ = rand.Read(b)
	}
	ctx := context.Background()
	if _, err := mail.Auth(ctx, link.Token); err != nil {
		panic(err)
	}
	if err := mail.MakeQueue(ctx, q, time.Time{}); err != nil {
		panic(err)
	}
	blob := make([]byte, 1024)
	for ; ; time.Sleep(50 * time.Millisecond) {
		_, _ = rand.Read(blob)
		begin := time.Now()
		if err := honestRound(ctx, mail, q, blob); err != nil {
			fmt.Println("failed", err)
			continue
		}
		fmt.Println("round", time.Since(begin).Milliseconds())
	}
}

func honestRound(ctx context.Context, mail *mailbox.Client, q mailbox.QueueIDs, blob []byte) error {
	if _, err := mail.PutMail(ctx, q.SendID, q.SendCap, [][]byte{blob}); err != nil {
		return err
	}
	list, err := mail.ListMail(ctx, q.RecvID, q.RecvCap, 0)
	if err != nil {
		return err
	}
	if len(list) == 0 || string(list[len(list)-1].Blob) != string(blob) {
		return errors.New("the blob is not there")
	}
	var places []uint64
	for _, b := range list {
		places = append(places, b.Place)
	}
	return mail.DeleteMail(ctx, q.RecvID, q.RecvCap, places)
}

// attack keeps attackers dialling, each with a key of its own and again as soon as it
// loses its connection, and prints now and then how many are connected.
func attack(link invite.NodeLink, from []string) {
	node := nodeInfo(link)
	var connected, dialled atomic.Int64
	for i := range attackers {
		a := newAttacker(i, from[i%len(from)])
		go func() {
			for ; ; time.Sleep(time.Second) {
				dialled.Add(1)
				a.once(node, &connected)
			}
		}()
	}
	for ; ; time.Sleep(time.Second) {
		fmt.Println("attackers", connected.Load(), "dialled", dialled.Load())
	}
}

type attacker struct {
	kind int
	from net.IP
	dial transport.Transport
}

func newAttacker(i int, from string) *attacker {
	_, raw, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(raw)
	if err != nil {
		panic(err)
	}
	a := &attacker{kind: i % 5, from: net.ParseIP(from)}
	if i%2 == 0 {
		a.dial, err = a.overTCP(key)
	} else {
		a.dial, err = a.overQUIC(key)
	}
	if err != nil {
		panic(err)
	}
	return a
}

func (a *attacker) overTCP(key crypto.PrivKey) (transport.Transport, error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := tls.New(tls.ID, key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	return tcp.NewTCPTransport(up, nil, nil, tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) {
		return a.dialer(), nil
	}))
}

func (a *attacker) dialer() *net.Dialer { return &net.Dialer{LocalAddr: &net.TCPAddr{IP: a.from}} }

func (a *attacker) overQUIC(key crypto.PrivKey) (transport.Transport, error) {
	m, err := quicreuse.NewConnManager(quic.StatelessResetKey{}, quic.TokenGeneratorKey{}, quicreuse.DisableReuseport(),
		quicreuse.OverrideListenUDP(func(network string, _ *net.UDPAddr) (net.PacketConn, error) {
			return net.ListenUDP(network, &net.UDPAddr{IP: a.from})
		}))
	if err != nil {
		return nil, err
	}
	return libp2pquic.NewTransport(key, m, nil, nil, nil)
}

// once attacks until the node ends the connection.
func (a *attacker) once(node peer.AddrInfo, connected *atomic.Int64) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if a.kind == 0 { // never shakes hands
		a.halfOpen(ctx, node)
		return
	}
	for _, m := range node.Addrs {
		if !a.dial.CanDial(m) {
			continue
		}
		c, err := a.dial.Dial(ctx, m, node.ID)
		if err != nil {
			return
		}
		connected.Add(1)
		a.streams(c)
		for !c.IsClosed() {
			time.Sleep(100 * time.Millisecond)
		}
		connected.Add(-1)
	}
}

func (a *attacker) halfOpen(ctx context.Context, node peer.AddrInfo) {
	at, err := node.Addrs[1].ValueForProtocol(ma.P_IP4)
	if err != nil {
		return
	}
	port, _ := node.Addrs[1].ValueForProtocol(ma.P_TCP)
	c, err := a.dialer().DialContext(ctx, "tcp4", net.JoinHostPort(at, port))
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = io.Copy(io.Discard, c)
}

// streams opens as many streams as it may; what goes out on them depends on the kind.
func (a *attacker) streams(c transport.CapableConn) {
	if a.kind == 1 { // just stays
		return
	}
	protocol := string(mailbox.ID)
	if a.kind == 4 {
		protocol = "/libp2p/circuit/relay/0.2.0/hop"
	}
	for range 32 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		s, err := c.OpenStream(ctx)
		cancel()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(io.Discard, s) }()
		_, _ = s.Write([]byte("\x13/multistream/1.0.0\n" + string(rune(len(protocol)+1)) + protocol + "\n"))
		switch a.kind {
		case 2: // the beginning of a long request
			_, _ = s.Write(append([]byte{0, 2, 0x80, 0}, make([]byte, 32<<10)...))
		case 3: // wrong tokens, one after the other
			wrong := append([]byte{0, 0, 0, 33, 1}, make([]byte, 32)...)
			for range 50 {
				_, _ = s.Write(wrong)
			}
		}
	}
}

// lines follows what a process prints.
type lines struct {
	mu  sync.Mutex
	all []string
}

func follow(t *testing.T, cmd *exec.Cmd) *lines {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &lines{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := bufio.NewScanner(out); s.Scan(); {
			l.mu.Lock()
			l.all = append(l.all, s.Text())
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done; _ = cmd.Wait() })
	return l
}

// with returns the lines that begin so.
func (l *lines) with(prefix string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	return out
}

func (l *lines) await(t *testing.T, prefix string, n int) []string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if got := l.with(prefix); len(got) >= n {
			return got
		}
		if time.Now().After(end) {
			all := l.with("")
			t.Fatalf("%q did not come %d times: %q", prefix, n, all[max(0, len(all)-20):])
		}
	}
}

// slowest returns the longest of these rounds.
func slowest(rounds []string) (d time.Duration) {
	for _, r := range rounds {
		var ms int64
		_, _ = fmt.Sscanf(r, "round %d", &ms)
		d = max(d, time.Duration(ms)*time.Millisecond)
	}
	return d
}

// resident is the memory of a process in KiB.
func resident(t *testing.T, pid int) (kib int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	_, _ = fmt.Sscan(rest, &kib)
	return kib
}

// A thousand attackers, from many addresses and of several kinds, at a real node: it
// grows by at most 128 MB, and a member's mail goes through meanwhile.
func TestNodeUnderFlood(t *testing.T) {
	if underRace {
		t.Skip("measures memory, of which the race detector takes a multiple")
	}
	n := p2ptest.NewInternet(t, p2ptest.Cone, p2ptest.Cone)
	from := n.Crowd(190)
	cmd := n.Command(p2ptest.Public, kuvertd, "node", "--json", "--data", t.TempDir(), "--listen", "0.0.0.0:4040")
	var started nodeStarted
	if err := json.Unmarshal([]byte(follow(t, cmd).await(t, "{", 1)[0]), &started); err != nil {
		t.Fatal(err)
	}
	if netip.MustParseAddrPort(started.Addrs[0]).Addr().String() != p2ptest.PublicAddr {
		t.Fatalf("addresses: %v", started.Addrs)
	}
	member := role(t, n, p2ptest.HostA, floodTask{Link: started.Link})
	member.await(t, "round", 20)
	quiet := slowest(member.with("round"))
	before := resident(t, cmd.Process.Pid)

	foes := role(t, n, p2ptest.Stranger, floodTask{Attack: true, Link: started.Link, From: from})
	calm, peak := len(member.with("round")), before
	for end := time.Now().Add(floodTime()); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		peak = max(peak, resident(t, cmd.Process.Pid))
	}
	rounds, most := member.await(t, "round", calm+20)[calm:], foes.with("attackers")
	t.Logf("resident %d MB, under attack at most %d MB; slowest round %v, under attack %v of %d; %s",
		before>>10, peak>>10, quiet, slowest(rounds), len(rounds), most[len(most)-1])
	if peak-before > floodCosts {
		t.Errorf("the attack cost %d MB", (peak-before)>>10)
	}
	if failed := member.with("failed"); len(failed) > 0 || slowest(rounds) > slowRound {
		t.Errorf("the member's mail: %q, slowest round %v", failed, slowest(rounds))
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

func role(t *testing.T, n *p2ptest.Internet, machine string, task floodTask) *lines {
	t.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	cmd := n.Command(machine, os.Args[0])
	cmd.Env = append(os.Environ(), floodRole+"="+string(text))
	return follow(t, cmd)
}
