package p2ptest_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/p2p/node"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
	"github.com/kuvert-im/kuvert/p2p/transfer"
)

// Tests in namespaces run this test binary again as the machine's program.
const (
	roleEnv = "KUVERT_LAB_NODE" // a labConfig as JSON
	labWait = 30 * time.Second
)

type labConfig struct {
	Seed                byte
	NoMDNS, NoBroadcast bool
	LANOnly, Tempted    bool
	Name                string
	Long                bool              // frames of many packets
	Follow              map[byte][]string // addresses by seed
	Station             string            // the IP address of the always-on node
	Data                string            // be that node, with the mail in this folder
}

func TestMain(m *testing.M) {
	if text := os.Getenv(roleEnv); text != "" {
		if err := labNode(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func labKey(seed byte) ed25519.PrivateKey {
	s := sha256.Sum256([]byte{seed})
	return ed25519.NewKeyFromSeed(s[:])
}

func labHost(seed byte) node.HostKey { return node.HostKey(labKey(seed).Public().(ed25519.PublicKey)) }

// labNode runs a node until it is told to stop, and prints what happens.
func labNode(text string) error {
	var c labConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	if c.Data != "" {
		return labServer(c)
	}
	n, err := node.New(node.Config{HostKey: labKey(c.Seed), Port: 4242, LANOnly: c.LANOnly, NoMDNS: c.NoMDNS, NoBroadcast: c.NoBroadcast})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h := &labHandler{state: n.StationState}
	var via []node.Station
	if c.Station != "" {
		st := labStation(c.Station)
		n.UseStations([]node.Station{st})
		st.Token = [32]byte{}
		via = append(via, st)
	}
	for seed, addrs := range c.Follow {
		n.Follow("friend", map[node.HostKey][]string{labHost(seed): addrs}, via)
	}
	n.Show(c.Name)
	if c.Tempted {
		for i, a := range temptations {
			n.Follow(fmt.Sprint("temptation ", i), map[node.HostKey][]string{labHost(byte(i) + 100): a}, tempters)
		}
		n.UseStations(tempters)
	}
	go labTalk(ctx, n, h, c.Long)
	return n.Run(ctx, h)
}

// labTalk delivers one numbered frame after the other, each until it is taken, and says
// which way it went. Who does not recognise the sender (yet) may ask to wait.
func labTalk(ctx context.Context, n *node.Node, h *labHandler, long bool) {
	frame := make([]byte, 1)
	if long {
		frame = make([]byte, 100<<10)
	}
	for number := byte(0); ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		frame[0] = number
		way := "directly"
		if n.Relayed("friend") {
			way = "relayed"
		}
		if a, err := n.Deliver(ctx, "friend", [][]byte{frame}); err == nil && a[0] <= 1 {
			h.say("delivered %s", way)
			number++
		}
	}
}

// temptations are addresses outside, as a hostile contact may tell them.
var temptations = [][]string{
	{"/ip4/8.8.4.4/tcp/4001", "/ip4/8.8.4.4/udp/4001/quic-v1"},
	{"/ip4/100.64.9.9/tcp/4001", "/ip6/2001:4860::1/udp/4001/quic-v1"},
	{"/dns4/example.org/tcp/4001", "/dnsaddr/example.org"},
	{"/ip4/192.168.7.2/tcp/4001/p2p/12D3KooWAGY5qt9euAQiYJGGAV3z4KUL7btGeSVemwkVScdUQT9o/p2p-circuit"},
}

// tempters are stations outside, as a person may have entered them before the mode
// was changed.
var tempters = []node.Station{
	{Host: labHost(90), Addrs: []string{"/ip4/8.8.8.8/udp/4040/quic-v1", "/ip4/8.8.8.8/tcp/4040"}, Token: [32]byte{1}, Relay: true},
	{Host: labHost(91), Addrs: []string{"/dns4/example.org/tcp/4040"}, Token: [32]byte{1}, Relay: true},
}

type labHandler struct {
	mu   sync.Mutex
	next byte // the number of the frame that comes next

	state    func(node.HostKey) node.StationState
	reserved bool // what was said last
}

func (h *labHandler) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Printf(format+"\n", args...)
}

func (h *labHandler) HelloKeys(context.Context) (map[string][32]byte, error) {
	keys := map[string][32]byte{"friend": sha256.Sum256([]byte("friends"))}
	for i := range temptations {
		keys[fmt.Sprint("temptation ", i)] = [32]byte{byte(i)}
	}
	return keys, nil
}

func (h *labHandler) Recognised(_ context.Context, ref string, _ node.HostKey, addrs []string) {
	h.say("recognised %s %q", ref, addrs)
}

func (h *labHandler) Lost(ref string) { h.say("lost %s", ref) }

func (h *labHandler) Nearby(_ node.HostKey, name string) { h.say("nearby %q", name) }

func (h *labHandler) Status(context.Context, string) ([]byte, error) { return nil, nil }

func (h *labHandler) OnStatus(context.Context, string, []byte) error { return nil }

func (h *labHandler) Bundle(context.Context, string) ([]byte, error)                    { return nil, nil }
func (h *labHandler) NetworkChanged()                                                   {}
func (h *labHandler) PairAccepted(context.Context, node.HostKey, node.PairStream) error { return nil }

// Frames takes each frame once (0), answers 1 to one it has, and says so if one is
// missing. An old connection may still hand something over beside the new one.
func (h *labHandler) Frames(_ context.Context, _ string, _ node.HostKey, frames [][]byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	answers := make([]byte, len(frames))
	for i, f := range frames {
		switch f[0] {
		case h.next:
			h.next++
		case h.next - 1:
			answers[i] = 1
		default:
			fmt.Printf("disorder: frame %d instead of %d\n", f[0], h.next)
		}
	}
	return answers
}

// labProcess is a node that runs on a machine of the lab.
type labProcess struct {
	t    *testing.T
	name string
	stop func() // SIGTERM
	kill func() // SIGKILL

	mu    sync.Mutex
	lines []string
}

func startLab(t *testing.T, l *p2ptest.Spaces, machine string, c labConfig) *labProcess {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := l.Command(machine, os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &labProcess{t: t, name: machine}
	done := make(chan struct{})
	go func() { defer close(done); p.read(out) }()
	end := sync.OnceFunc(func() { <-done; _ = cmd.Wait() })
	p.stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM); end() }
	p.kill = func() { _ = cmd.Process.Kill(); end() }
	t.Cleanup(p.stop)
	return p
}

func (p *labProcess) read(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
	}
}

// count returns how many lines begin so.
func (p *labProcess) count(prefix string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

// await waits for the n-th line that begins so.
func (p *labProcess) await(prefix string, n int) {
	p.t.Helper()
	for end := time.Now().Add(labWait); p.count(prefix) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.t.Fatalf("%s: %q did not come %d times: %q", p.name, prefix, n, p.lines)
		}
	}
}

func TestLabDiscovery(t *testing.T) {
	l := p2ptest.NewLab(t, 3)
	for name, c := range map[string]labConfig{"mDNS alone": {NoBroadcast: true}, "broadcast alone": {NoMDNS: true}} {
		t.Run(name, func(t *testing.T) {
			var all []*labProcess
			for i := 1; i <= 2; i++ {
				c.Seed, c.Name = byte(i), fmt.Sprint("person ", i)
				all = append(all, startLab(t, l.Spaces, l.Name(i), c))
			}
			for i, p := range all {
				p.await("recognised friend", 1)
				p.await(fmt.Sprintf("nearby %q", fmt.Sprint("person ", 2-i)), 1)
			}
		})
	}
}

// Two profiles on one machine and one on another: all find each other by the
// broadcast, for which they share a port.
func TestLabTwoProfilesOnOneMachine(t *testing.T) {
	l := p2ptest.NewLab(t, 2)
	var all []*labProcess
	for i, machine := range []int{1, 1, 2} {
		all = append(all, startLab(t, l.Spaces, l.Name(machine), labConfig{Seed: byte(i + 1), NoMDNS: true, Name: fmt.Sprint("person ", i)}))
	}
	for i, p := range all {
		for other := range all {
			if other != i {
				p.await(fmt.Sprintf("nearby %q", fmt.Sprint("person ", other)), 1)
			}
		}
	}
}

// The cable is pulled and put back, then the address changes: each time they meet
// again, by the address book alone.
func TestLabReconnects(t *testing.T) {
	l := p2ptest.NewLab(t, 2)
	quiet := labConfig{NoMDNS: true, NoBroadcast: true}
	one, two := quiet, quiet
	one.Seed, two.Seed = 1, 2
	one.Follow = map[byte][]string{2: {"/ip4/192.168.7.2/udp/4242/quic-v1", "/ip4/192.168.7.2/tcp/4242"}}
	a, b := startLab(t, l.Spaces, l.Name(1), one), startLab(t, l.Spaces, l.Name(2), two)
	a.await("recognised", 1)
	b.await("recognised", 1)
	l.IP(l.Name(1), "link set eth0 down")
	a.await("lost", 1)
	l.IP(l.Name(1), "link set eth0 up")
	a.await("recognised", 2)
	b.await("recognised", 2)
	l.IP(l.Name(1), "addr del 192.168.7.1/24 dev eth0")
	l.IP(l.Name(1), "addr add 192.168.7.101/24 brd + dev eth0")
	// A QUIC connection may survive this, a TCP connection cannot.
	a.await("delivered", a.count("delivered")+5)
	b.await("delivered", b.count("delivered")+5)
}

// In LAN-only mode not one packet goes outside and not one name is asked for,
// whatever addresses a node is fed with. Without it, packets do: the counters work.
func TestLabLANOnlyLeaksNothing(t *testing.T) {
	l := p2ptest.NewLab(t, 2)
	l.IP(l.Name(1), "route add default via 192.168.7.2")
	for name, lanOnly := range map[string]bool{"LAN only": true, "also the Internet": false} {
		t.Run(name, func(t *testing.T) {
			l.Exec(l.Name(1), "", "nft", "flush", "ruleset")
			l.Count(l.Name(1))
			a := startLab(t, l.Spaces, l.Name(1), labConfig{Seed: 1, LANOnly: lanOnly, Tempted: true})
			b := startLab(t, l.Spaces, l.Name(2), labConfig{Seed: 2})
			a.await("recognised friend", 1)
			b.await("recognised friend", 1)
			if !lanOnly {
				waitForLeak(t, l)
			} else {
				time.Sleep(tempted())
			}
			a.stop()
			b.stop()
			c := l.Counters(l.Name(1))
			if c["names"] != 0 || (lanOnly && c["leaks"] != 0) || c["local"] == 0 {
				t.Errorf("packets: %v", c)
			}
		})
	}
}

// tempted is for how long somebody in LAN-only mode must resist; KUVERT_SOAK makes it
// long.
func tempted() time.Duration {
	if os.Getenv("KUVERT_SOAK") != "" {
		return 2 * time.Minute
	}
	return 6 * time.Second
}

func waitForLeak(t *testing.T, l *p2ptest.Lab) {
	t.Helper()
	for end := time.Now().Add(labWait); l.Counters(l.Name(1))["leaks"] == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no packet was counted")
		}
	}
}

func (h *labHandler) GiveFile(context.Context, string, [32]byte) (transfer.Source, error) {
	return nil, transfer.ErrNotFound
}

func (h *labHandler) StationChanged(host node.HostKey) {
	if h.state == nil {
		return
	}
	reserved := h.state(host).Reserved
	h.mu.Lock()
	fresh := reserved && !h.reserved
	h.reserved = reserved
	h.mu.Unlock()
	if fresh {
		h.say("station reserved")
	}
}

func (h *labHandler) Traffic(node.Traffic, string, node.HostKey, string) {}
