package uitest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/kuvert-im/kuvert/app/core"
)

// Mailboxes is one mailbox in each state, the third a colleague's computer.
func Mailboxes() []core.NodeInfo {
	const mega, giga = 1_000_000, 1_000_000_000
	return []core.NodeInfo{
		{ID: "01", Addrs: []string{"192.168.1.5:47822"}, State: core.NodeConnected, Relay: true, Used: 12 * mega, Quota: giga},
		{ID: "02", Addrs: []string{"[2001:db8::5]:47822"}, State: core.NodeConnecting},
		{ID: "03", Keeper: Person("Sabine Krüger"), KeeperName: "Sabine Krüger", Addrs: []string{"192.168.1.31:47821"}, State: core.NodeUnreachable, Used: 400_000, Quota: 100 * mega},
		{ID: "04", Addrs: []string{"203.0.113.9:47822"}, State: core.NodeRefused},
		{ID: "05", Addrs: []string{"203.0.113.7:47822"}, State: core.NodeOutside, Used: 3 * mega, Quota: giga},
		{ID: "06", Addrs: []string{"192.168.1.6:47822"}, State: core.NodeFull, Used: giga, Quota: giga},
	}
}

// Contacts24h is n machines that were contacted, of each kind some.
func Contacts24h(n int) []core.Contacted {
	kinds := []string{"person", "theirs", "node", "search", "stranger", "invite", "router"}
	names := []string{"Sabine Krüger", "Thomas Weiß", "", "", "", "Petra Schäfer", ""}
	out := make([]core.Contacted, n)
	for i := range out {
		k := i % len(kinds)
		last := Now.Add(-time.Duration(i) * 2 * time.Minute)
		out[i] = core.Contacted{
			Kind: kinds[k], Name: names[k], Addr: fmt.Sprintf("192.168.%d.%d:47821", 1+i/250, 2+i%250),
			First: last.Add(-3 * time.Hour), Last: last, Count: 1 + i%13,
		}
	}
	return out
}

// Finding is one of Diagnose's, with every parameter that any sentence asks for.
func Finding(check, code string, level core.Level) core.Check {
	return core.Check{Check: check, Code: code, Level: level, Params: map[string]string{
		"addrs": "192.168.1.20, fe80::1", "port": "47821", "addr": "203.0.113.20:47821", "node": "192.168.1.5:47822",
		"minutes": "12", "free": "3,2 GB", "count": strconv.Itoa(3),
	}}
}

// Healthy is what Diagnose finds if all is well, or nearly.
func Healthy() []core.Check {
	ok, note := core.LevelOK, core.LevelNote
	return []core.Check{
		Finding("interfaces", "ok", ok), Finding("port", "ok", ok), Finding("multicast", "ok", ok),
		Finding("firewall", "silent", core.LevelBad), Finding("outside", "unreachable", note), Finding("nat", "symmetric", note),
		Finding("relay", "ok", ok), Finding("mailbox", "ok", ok), Finding("clock", "ok", ok),
		Finding("disk", "low", note), Finding("database", "ok", ok), Finding("waiting", "some", note),
	}
}
