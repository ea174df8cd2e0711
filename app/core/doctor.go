package core

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Bounds of the findings.
const (
	diskLow     = 1 << 30  // bytes: less is little
	diskNothing = 16 << 20 // less is none
	clockWrong  = 5 * time.Minute
	// clockLook is how many of the newest messages of each conversation tell of
	// the others' clocks, clockTalks how many conversations.
	clockLook  = 20
	clockTalks = 20
)

// Diagnose implements Insight.
func (c *Core) Diagnose(ctx context.Context) ([]Check, error) {
	n, err := c.Network(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	clock, err := read(ctx, c, c.clockCheck)
	if err != nil {
		return nil, err
	}
	st, lanOnly := c.net.State(), n.Mode == NetworkLAN
	port := params("port", strconv.Itoa(n.Port))
	return []Check{
		check("interfaces", params("addrs", strings.Join(n.Addrs, ", ")), when(st.Online, LevelOK, "ok"), when(true, LevelBad, "none")),
		check("port", port, when(!st.PortTaken, LevelOK, "ok"), when(true, LevelNote, "taken")),
		check("multicast", nil, when(!st.NoMulticast, LevelOK, "ok"), when(true, LevelNote, "none")),
		check("firewall", port, when(st.Incoming || st.Reachable == Yes, LevelOK, "ok"),
			when(st.Reachable == No && st.NAT == "none", LevelBad, "silent"), when(true, LevelNote, "unknown")),
		outsideCheck(st, lanOnly, nodes),
		natCheck(st, lanOnly),
		relayCheck(lanOnly, nodes),
		mailboxCheck(nodes),
		clock,
		c.diskCheck(),
		check("database", nil, when(c.trouble.now() != TroubleDatabase, LevelOK, "ok"), when(true, LevelBad, "damaged")),
		check("waiting", params("count", strconv.Itoa(n.Waiting)), when(n.Waiting == 0, LevelOK, "ok"), when(true, LevelNote, "some")),
	}, nil
}

// finding is one possible outcome of a check.
type finding struct {
	is    bool
	level Level
	code  string
}

func when(is bool, level Level, code string) finding { return finding{is, level, code} }

// check is the first finding that holds; the last one must.
func check(name string, p map[string]string, all ...finding) Check {
	for _, f := range all {
		if f.is {
			return Check{Check: name, Level: f.level, Code: f.code, Params: p}
		}
	}
	return Check{Check: name, Level: LevelNote, Code: "unknown", Params: p}
}

func params(key, value string) map[string]string { return map[string]string{key: value} }

// outsideCheck says whether machines outside can open a connection to this one. If
// not, a node makes up for it.
func outsideCheck(st TransportState, lanOnly bool, nodes []NodeInfo) Check {
	grave := LevelBad
	if len(nodes) > 0 {
		grave = LevelNote
	}
	return check("outside", params("addr", strings.Join(st.Outside, ", ")),
		when(lanOnly, LevelOK, "lan_only"), when(st.Mapped && st.Reachable != No, LevelOK, "mapped"),
		when(st.Reachable == Yes, LevelOK, "reachable"), when(st.Reachable == No, grave, "unreachable"),
		when(true, LevelNote, "unknown"))
}

func natCheck(st TransportState, lanOnly bool) Check {
	return check("nat", nil, when(lanOnly, LevelOK, "lan_only"), when(st.NAT == "none", LevelOK, "none"),
		when(st.NAT == "cone", LevelOK, "cone"), when(st.NAT == "symmetric", LevelNote, "symmetric"),
		when(true, LevelNote, "unknown"))
}

func relayCheck(lanOnly bool, nodes []NodeInfo) Check {
	own, relays := 0, 0
	for _, n := range nodes {
		if n.Keeper.IsZero() {
			own++
		}
		if n.Relay {
			relays++
		}
	}
	return check("relay", nil, when(lanOnly, LevelOK, "lan_only"), when(relays > 0, LevelOK, "ok"),
		when(own == 0, LevelNote, "no_node"), when(true, LevelNote, "no"))
}

// mailboxCheck looks at all nodes: one that works is enough.
func mailboxCheck(nodes []NodeInfo) Check {
	at := map[NodeStanding]string{}
	for _, n := range nodes {
		at[n.State] = strings.Join(n.Addrs, ", ")
	}
	is := func(s NodeStanding) bool { _, ok := at[s]; return ok }
	p := map[string]string{}
	for _, s := range []NodeStanding{NodeUnreachable, NodeConnecting, NodeOutside, NodeRefused, NodeFull, NodeConnected} {
		if is(s) {
			p["node"] = at[s]
		}
	}
	return check("mailbox", p, when(len(nodes) == 0, LevelNote, "none"), when(is(NodeConnected), LevelOK, "ok"),
		when(is(NodeFull), LevelBad, "full"), when(is(NodeRefused), LevelBad, "refused"),
		when(is(NodeOutside) && len(at) == 1, LevelNote, "outside"), when(true, LevelBad, "unreachable"))
}

// clockCheck compares this computer's clock with those of the people who wrote: a
// message cannot arrive before it was sent.
func (c *Core) clockCheck(tx ReadTx) (Check, error) {
	all, err := tx.Conversations()
	if err != nil {
		return Check{}, err
	}
	known, early := 0, time.Duration(0)
	for _, conv := range all[:min(len(all), clockTalks)] {
		msgs, err := tx.Messages(chat.MessageQuery{Conversation: conv.ID, Limit: clockLook, TextOnly: true})
		if err != nil {
			return Check{}, err
		}
		for _, m := range msgs {
			if m.State == chat.Received && c.now().Sub(m.ReceivedAt) < 7*24*time.Hour {
				known++
				early = max(early, m.SentAt.Sub(m.ReceivedAt))
			}
		}
	}
	return check("clock", params("minutes", strconv.Itoa(int(early.Minutes()))),
		when(early > clockWrong, LevelBad, "wrong"), when(known > 0, LevelOK, "ok"), when(true, LevelOK, "unknown")), nil
}

func (c *Core) diskCheck() Check {
	free, err := c.diskFree()
	if err != nil {
		c.log.Warn("free space not known", "err", err)
	}
	full := c.trouble.now() == TroubleDiskFull || err == nil && free < diskNothing
	room := "–"
	if err == nil {
		room = sizeText(free)
	}
	return check("disk", params("free", room), when(full, LevelBad, "full"),
		when(err == nil && free < diskLow, LevelNote, "low"), when(true, LevelOK, "ok"))
}

// sizeText is a size for people, in the units that systems show for disks.
func sizeText(n int64) string {
	switch {
	case n >= 10e9:
		return fmt.Sprintf("%d GB", n/1e9)
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%d MB", n/1e6)
}
