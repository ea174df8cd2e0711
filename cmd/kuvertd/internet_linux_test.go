package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
)

// homes are two people in two LANs behind NATs, and a node in the public network
// that alice uses.
type homes struct {
	net  *p2ptest.Internet
	node *alwaysOn
	a, b *side
}

func newHomes(t *testing.T, a, b p2ptest.NAT) *homes {
	t.Helper()
	dir, env := testEnv(t)
	h := &homes{net: p2ptest.NewInternet(t, a, b)}
	h.node = &alwaysOn{dir: filepath.Join(dir, "node"), addr: p2ptest.PublicAddr + ":4040", env: env, space: h.in(p2ptest.Public)}
	t.Cleanup(h.node.kill)
	link, err := h.node.start()
	if err != nil {
		t.Fatal(err)
	}
	h.a = &side{name: "alice", profile: filepath.Join(dir, "alice"), env: env}
	h.b = &side{name: "bob", profile: filepath.Join(dir, "bob"), env: env}
	for _, s := range []*side{h.a, h.b} {
		runKuvertd(t, env, s.profile, nil, "init", "--name", s.name)
	}
	h.serve(t, h.a, p2ptest.HostA)
	runKuvertd(t, env, h.a.profile, nil, "nodes", "add", link)
	waitUntil(t, "the node is connected", func() bool {
		var list []core.NodeInfo
		runKuvertd(t, env, h.a.profile, &list, "nodes")
		return len(list) == 1 && list[0].State == core.NodeConnected && list[0].Relay
	})
	return h
}

func (h *homes) in(machine string) func(args ...string) *exec.Cmd {
	return func(args ...string) *exec.Cmd { return h.net.Command(machine, args...) }
}

// serve runs a side's program on a machine until the test ends.
func (h *homes) serve(t *testing.T, s *side, machine string) *daemon {
	t.Helper()
	d := newDaemon(s.profile, s.env)
	inside := h.net.Command(machine, d.cmd.Args...)
	inside.Env, inside.Stderr = d.cmd.Env, d.cmd.Stderr
	d.cmd = inside
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	if _, err := d.wait(); err != nil {
		t.Fatal(err)
	}
	return d
}

// sees is how a side is connected with its only contact.
func (s *side) sees(t *testing.T) contactLine {
	t.Helper()
	var list []contactLine
	runKuvertd(t, s.env, s.profile, &list, "contacts")
	if len(list) != 1 {
		return contactLine{}
	}
	return list[0]
}

func (s *side) tells(t *testing.T, text string) chat.MessageID {
	t.Helper()
	var sent struct{ ID chat.MessageID }
	runKuvertd(t, s.env, s.profile, &sent, "send", s.sees(t).ID.String(), text)
	return sent.ID
}

func (s *side) has(t *testing.T, id chat.MessageID) bool {
	t.Helper()
	var list []messageLine
	runKuvertd(t, s.env, s.profile, &list, "messages", s.sees(t).ID.String())
	return slices.ContainsFunc(list, func(m messageLine) bool { return m.ID == id })
}

// meet invites bob to alice and starts bob, and returns when he was up.
func (h *homes) meet(t *testing.T) (up time.Time) {
	t.Helper()
	var inv invitation
	runKuvertd(t, h.a.env, h.a.profile, &inv, "invite")
	h.serve(t, h.b, p2ptest.HostB)
	up = time.Now()
	runKuvertd(t, h.b.env, h.b.profile, nil, "accept", inv.Invitation)
	return up
}

// TestLabHomesBehindConeNATs is two offices over the Internet: a first contact by
// invitation alone, then a direct connection, and messages with the node gone.
func TestLabHomesBehindConeNATs(t *testing.T) {
	h := newHomes(t, p2ptest.Cone, p2ptest.Cone)
	up := h.meet(t)
	waitUntil(t, "they are contacts", func() bool { return h.a.sees(t).Online && h.b.sees(t).Online && !h.b.sees(t).Pending })
	met := time.Since(up)
	waitUntil(t, "they are connected directly", func() bool {
		return h.a.sees(t).Online && !h.a.sees(t).Relayed && h.b.sees(t).Online && !h.b.sees(t).Relayed
	})
	t.Logf("contacts after %v, connected directly after %v", met.Round(10*time.Millisecond), time.Since(up).Round(10*time.Millisecond))
	h.node.kill()
	m1, m2 := h.a.tells(t, "ohne den Briefkasten"), h.b.tells(t, "auch so")
	waitUntil(t, "messages pass without the node", func() bool { return h.b.has(t, m1) && h.a.has(t, m2) })
}

// TestLabHomesBehindSymmetricNATs: no hole can be punched, so the node carries the
// connection.
func TestLabHomesBehindSymmetricNATs(t *testing.T) {
	h := newHomes(t, p2ptest.Symmetric, p2ptest.Symmetric)
	up := h.meet(t)
	waitUntil(t, "they are connected", func() bool { return h.a.sees(t).Online && h.b.sees(t).Online })
	t.Logf("connected through the node after %v", time.Since(up).Round(10*time.Millisecond))
	if a, b := h.a.sees(t), h.b.sees(t); !a.Relayed || !b.Relayed {
		t.Errorf("not through the node: %+v, %+v", a, b)
	}
	m1, m2 := h.a.tells(t, "über den Briefkasten"), h.b.tells(t, "angekommen")
	waitUntil(t, "messages pass through the node", func() bool { return h.b.has(t, m1) && h.a.has(t, m2) })
}

// TestLabHomeMoves gives a computer another address and pulls its cable.
func TestLabHomeMoves(t *testing.T) {
	h := newHomes(t, p2ptest.Cone, p2ptest.Cone)
	h.meet(t)
	waitUntil(t, "they are connected directly", func() bool { return h.a.sees(t).Online && !h.a.sees(t).Relayed })
	for what, change := range map[string]func(){
		"another address": func() { h.net.Move(p2ptest.HostB, "192.168.2.77") },
		"the cable out and in": func() {
			h.net.Unplug(p2ptest.HostB)
			time.Sleep(3 * time.Second)
			h.net.Plug(p2ptest.HostB)
		},
	} {
		change()
		begin := time.Now()
		m := h.a.tells(t, what)
		waitUntil(t, "a message arrives after "+what, func() bool { return h.b.has(t, m) })
		t.Logf("%s: a message arrives %v later", what, time.Since(begin).Round(10*time.Millisecond))
	}
}
