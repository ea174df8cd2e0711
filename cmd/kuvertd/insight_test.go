package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// answers is a client that answers what it was told to.
type answers struct {
	core.Client
	settings  map[string]string
	checks    []core.Check
	contacted []core.Contacted
	nodes     []core.NodeInfo
	err       error
	link      string // that was added
	removed   string
}

func (a *answers) Settings(context.Context) (map[string]string, error) { return a.settings, a.err }
func (a *answers) Diagnose(context.Context) ([]core.Check, error)      { return a.checks, a.err }
func (a *answers) Contacted(context.Context) ([]core.Contacted, error) { return a.contacted, a.err }
func (a *answers) Nodes(context.Context) ([]core.NodeInfo, error)      { return a.nodes, a.err }

func (a *answers) RemoveNode(_ context.Context, id string) error {
	a.removed = id
	return a.err
}

func (a *answers) AddNode(_ context.Context, link string) (core.NodeInfo, error) {
	a.link = link
	return core.NodeInfo{}, a.err
}

// printing is an environment whose output can be looked at.
func printing(asJSON bool) (*env, *bytes.Buffer) {
	out := new(bytes.Buffer)
	return &env{out: out, err: new(bytes.Buffer), json: asJSON}, out
}

// secrets are things that a diagnosis may come across and must not tell.
var secrets = map[string]string{
	"node": "198.51.100.77:47100", "name": "Bernd Beispiel", "id": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "host": strings.Repeat("5e", 32),
}

// everyCheck is what Diagnose may find, with more to tell than it should.
func everyCheck() (all []core.Check) {
	for _, c := range core.Checks {
		for _, code := range c.Codes {
			p := map[string]string{
				"port": "47100", "addrs": "192.168.1.5:47100", "addr": "203.0.113.9:47100",
				"minutes": "7", "free": "12 GB", "count": "3",
			}
			for k, v := range secrets {
				p[k] = v
			}
			all = append(all, core.Check{Check: c.Name, Level: core.LevelNote, Code: code, Params: p})
		}
	}
	return all
}

// TestDoctorTellsNoSecrets: the report is made to be copied into a forum.
func TestDoctorTellsNoSecrets(t *testing.T) {
	for _, lang := range []string{"de", "en"} {
		for _, asJSON := range []bool{false, true} {
			e, out := printing(asJSON)
			c := &answers{settings: map[string]string{core.SettingLanguage: lang, core.SettingName: "Anna Ahrens"}, checks: everyCheck()}
			if err := e.examine(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "Anna") {
				t.Error("the report holds the own name")
			}
			for what, s := range secrets {
				if strings.Contains(out.String(), s) {
					t.Errorf("%s, JSON %t: the report holds a %s", lang, asJSON, what)
				}
			}
			if left := regexp.MustCompile(`{{|}}|doctor\.|no value`).FindString(out.String()); left != "" {
				t.Errorf("%s: %q was left in the report", lang, left)
			}
		}
	}
}

func TestDoctorFailsIfSomethingIsWrong(t *testing.T) {
	c := &answers{settings: map[string]string{core.SettingLanguage: "de"}, checks: []core.Check{
		{Check: "port", Level: core.LevelOK, Code: "ok", Params: map[string]string{"port": "47100"}},
		{Check: "firewall", Level: core.LevelNote, Code: "unknown"},
	}}
	e, out := printing(false)
	if err := e.examine(t.Context(), c); err != nil {
		t.Error(err)
	}
	if !regexp.MustCompile(`(?m)^in Ordnung +Port +Andere Computer .* 47100 an\.\nHinweis +Firewall +Noch .*\n +→ Öffnen Sie`).MatchString(out.String()) {
		t.Errorf("%s", out)
	}

	c.checks = append(c.checks, core.Check{Check: "disk", Level: core.LevelBad, Code: "full"})
	e, out = printing(true)
	if f := explain(e.examine(t.Context(), c)); f.code != exitFailed || !strings.HasPrefix(f.Error, "1 of 3 checks") {
		t.Errorf("%+v", f)
	}
	var got []finding
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for i, want := range []finding{
		{Check: "port", OK: true, Level: core.LevelOK, Code: "ok"},
		{Check: "firewall", OK: true, Level: core.LevelNote, Code: "unknown"},
		{Check: "disk", OK: false, Level: core.LevelBad, Code: "full"},
	} {
		if got[i].Says == "" || (got[i].Advice == "") != (want.Code == "ok") {
			t.Errorf("%s says %q and advises %q", want.Check, got[i].Says, got[i].Advice)
		}
		got[i].Says, got[i].Advice = "", ""
		if got[i] != want {
			t.Errorf("%+v, want %+v", got[i], want)
		}
	}
}

func TestLanguageIsTheProfilesOrTheSystems(t *testing.T) {
	for _, c := range []struct{ setting, system, want string }{
		{"de", "en_US.UTF-8", "de"}, {"en", "de_DE.UTF-8", "en"}, {"", "de_DE.UTF-8", "de"}, {"", "C", "en"}, {"", "", "en"},
	} {
		t.Setenv("LC_ALL", "")
		t.Setenv("LC_MESSAGES", "")
		t.Setenv("LANG", c.system)
		got, err := language(t.Context(), &answers{settings: map[string]string{core.SettingLanguage: c.setting}})
		if err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
}

func TestContactedSaysWhyAndWhatTheyLearn(t *testing.T) {
	var list []contactedLine
	for _, kind := range core.ContactedKinds {
		list = append(list, newContactedLine("de", core.Contacted{Kind: kind, Addr: "192.168.1.7:47100", Count: 12}))
	}
	for _, l := range list {
		if l.Why == "" || l.Learns == "" || l.Who != nil {
			t.Errorf("%+v", l)
		}
	}
	var out bytes.Buffer
	anna := newContactedLine("de", core.Contacted{Kind: "person", Who: chat.PersonID{1}, Name: "Anna", Addr: "192.168.1.7:47100", Count: 12})
	printContacted(&out, "de", []contactedLine{anna})
	if !regexp.MustCompile(`192\.168\.1\.7:47100  Anna  \(12×\)\n    Computer eines Kontakts\..*\n    Erfahren konnte er: Die Adresse`).MatchString(out.String()) {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	printContacted(&out, "en", nil)
	if out.String() != "In the last 24 hours Kuvert had to do with no other computer.\n" {
		t.Errorf("%q", out.String())
	}
}

func TestDeliverySentences(t *testing.T) {
	at := time.Date(2026, 11, 23, 18, 5, 0, 0, time.Local)
	for _, c := range []struct {
		d    core.Delivery
		runs bool
		de   string
		en   string
	}{
		{
			core.Delivery{State: chat.Queued, Where: core.WhereHere, Why: core.WhyNotFound, NextTry: at},
			true,
			"Bernd: wartet auf diesem Computer. Der andere Computer ist gerade nicht erreichbar. Nächster Versuch: 2026-11-23 18:05:00.",
			"Bernd: waits on this computer. The other computer cannot be reached now. Next try: 2026-11-23 18:05:00.",
		},
		{
			core.Delivery{State: chat.Queued, Where: core.WhereHere, Why: core.WhyNoNetwork, NextTry: at},
			false,
			"Bernd: wartet auf diesem Computer. Kuvert läuft gerade nicht. Sobald es gestartet ist, geht es von selbst weiter.",
			"Bernd: waits on this computer. Kuvert does not run now. As soon as it is started, it goes on by itself.",
		},
		{
			core.Delivery{State: chat.Queued, Where: core.WhereHere, Why: core.WhyBlocked},
			false,
			"Bernd: wartet auf diesem Computer. Sie haben diesen Kontakt blockiert.",
			"Bernd: waits on this computer. You blocked this contact.",
		},
		{
			core.Delivery{State: chat.Sent, Where: core.WhereMailbox, HeldAt: at, Why: core.WhyOffline},
			true,
			"Bernd: liegt im Briefkasten seit 2026-11-23 18:05:00. Der andere Computer ist ausgeschaltet oder nicht verbunden.",
			"Bernd: lies in the mailbox since 2026-11-23 18:05:00. The other computer is switched off or not connected.",
		},
		{
			core.Delivery{State: chat.Sent, Where: core.WhereMailbox, Holder: "Clara", HeldAt: at},
			true,
			"Bernd: liegt seit 2026-11-23 18:05:00 im Briefkasten auf dem Computer von Clara.",
			"Bernd: lies in the mailbox on the computer of Clara since 2026-11-23 18:05:00.",
		},
		{
			core.Delivery{State: chat.Delivered, Where: core.WhereDevice},
			true,
			"Bernd: ist auf dem anderen Computer angekommen.", "Bernd: has arrived on the other computer.",
		},
		{core.Delivery{State: chat.Read, Where: core.WhereRead}, true, "Bernd: wurde gelesen.", "Bernd: was read."},
		{
			core.Delivery{State: chat.Failed, Where: core.WhereHere, Why: core.WhyRefused},
			true,
			"Bernd: wurde nicht zugestellt. Der andere Computer hat sie abgelehnt.",
			"Bernd: was not delivered. The other computer refused it.",
		},
	} {
		c.d.Name = "Bernd"
		l := newDeliveryLine(c.d, c.runs)
		if de, en := l.sentence("de"), l.sentence("en"); de != c.de || en != c.en {
			t.Errorf("%+v:\n%s\n%s", c.d, de, en)
		}
	}
}

func TestDeliveryTimesThatAreNotKnownAreNull(t *testing.T) {
	b, err := json.Marshal(newDeliveryLine(core.Delivery{HeldAt: time.Date(2026, 1, 1, 12, 0, 0, 0, time.FixedZone("", 3600)), State: chat.Sent}, true))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"held_at":"2026-01-01T11:00:00Z"`, `"sent_at":null`, `"next_try":null`, `"state":"sent"`, `"attempts":0`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s misses %s", b, want)
		}
	}
}

func TestNodesAreListedTruly(t *testing.T) {
	c := &answers{nodes: []core.NodeInfo{
		{ID: strings.Repeat("ab", 32), Addrs: []string{"10.0.0.5:47100"}, State: core.NodeConnected, Relay: true, Used: 5e6, Quota: 100e6},
		{ID: strings.Repeat("cd", 32), Addrs: []string{"10.0.0.6:47100"}, State: core.NodeUnreachable, Keeper: chat.PersonID{1}, KeeperName: "Anna"},
	}}
	e, out := printing(false)
	if err := e.listNodes(t.Context(), c, true); err != nil {
		t.Fatal(err)
	}
	want := "abababababababab  10.0.0.5:47100  own     connected, passes connections on, 5 of 100 MB used\n" +
		"cdcdcdcdcdcdcdcd  10.0.0.6:47100  Anna's  not reachable\n"
	if out.String() != want {
		t.Errorf("%s", out)
	}
	e, out = printing(true)
	if err := e.listNodes(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `"state":"not_running"`); n != 2 {
		t.Errorf("a command without a network knows more than it can: %s", out)
	}
	for _, s := range []core.NodeStanding{
		core.NodeConnected, core.NodeConnecting, core.NodeUnreachable, core.NodeRefused, core.NodeOutside, core.NodeFull,
	} {
		if standings[s] == "" {
			t.Errorf("%s has no words", s)
		}
	}
}

func TestRemoveNodeFindsIt(t *testing.T) {
	a, b := strings.Repeat("ab", 32), strings.Repeat("ac", 32)
	nodes := []core.NodeInfo{{ID: a, Addrs: []string{"10.0.0.5:47100"}}, {ID: b, KeeperName: "Anna"}}
	for arg, want := range map[string]any{
		a: a, "ab": a, "AB": a, "10.0.0.5:47100": a, "Anna": b, "a": exitNotFound, "zz": exitNotFound, "": exitNotFound,
	} {
		c := &answers{nodes: nodes}
		e, _ := printing(false)
		err := e.removeNode(t.Context(), c, arg)
		if id, ok := want.(string); ok && (err != nil || c.removed != id) {
			t.Errorf("%q removed %q, %v", arg, c.removed, err)
		} else if !ok && (c.removed != "" || explain(err).code != want) {
			t.Errorf("%q removed %q, %v", arg, c.removed, err)
		}
	}
}

func TestAddNodeTellsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		arg  string
		err  error
		says string
		code int
	}{
		{"KUVERT:ABC", nil, "this is an invitation", exitUsage},
		{"nonsense", chat.ErrNodeLink, "not a node's access link", exitUsage},
		{"KUVERT-NODE:ABC", chat.ErrTooLong, "as many nodes already", exitRefused},
		{"KUVERT-NODE:ABC", chat.ErrInvitationVersion, "newer version", exitRefused},
	} {
		client := &answers{err: c.err}
		link, err := readNodeLink(t.Context(), c.arg)
		e, _ := printing(false)
		if err == nil {
			err = e.putNode(t.Context(), client, true, link)
		}
		if f := explain(err); f.code != c.code || !strings.Contains(f.Error, c.says) {
			t.Errorf("%s: %+v", c.arg, f)
		}
		if errors.Is(c.err, chat.ErrNodeLink) && client.link != c.arg {
			t.Error("the core was not asked", client.link)
		}
	}
}
