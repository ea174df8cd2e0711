package words

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/core"
)

var languages = []string{German, English}

// params are what a text of each check may hold. None of them is secret.
var params = map[string][]string{
	"interfaces": {"addrs"}, "port": {"port"}, "firewall": {"port"},
	"clock": {"minutes"}, "disk": {"free"}, "waiting": {"count"},
}

// goodNews are the codes after which there is nothing to do.
var goodNews = []string{"ok", "lan_only", "reachable", "mapped", "nat.none", "cone", "clock.unknown"}

// needs checks that a key has a text in both languages, with these params at most.
func needs(t *testing.T, key string, allowed ...string) {
	t.Helper()
	for _, l := range languages {
		text, ok := texts()[l][key]
		if isSentence := strings.HasSuffix(text, ".") || strings.Contains(text, "kuvertd "); !ok || text == "" || isSentence == strings.HasSuffix(key, ".title") {
			t.Errorf("%s: %s says %q", l, key, text)
		}
		for _, p := range placeholder.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(allowed, p[1]) {
				t.Errorf("%s: %s holds %s", l, key, p[0])
			}
		}
	}
}

func TestEveryCheckHasItsTexts(t *testing.T) {
	left := map[string]bool{}
	for key := range texts()[German] {
		if strings.HasPrefix(key, "doctor.") && !strings.HasPrefix(key, "doctor.level.") {
			left[key] = true
		}
	}
	for _, check := range core.Checks {
		base := "doctor." + check.Name
		needs(t, base+".title")
		delete(left, base+".title")
		for _, code := range check.Codes {
			key := base + "." + code
			needs(t, key, params[check.Name]...)
			good := slices.Contains(goodNews, code) || slices.Contains(goodNews, check.Name+"."+code)
			if advice := key + ".advice"; !good {
				needs(t, advice, params[check.Name]...)
			} else if Text(German, advice, nil) != "" {
				t.Errorf("there is advice after good news: %s", advice)
			}
			delete(left, key)
			delete(left, key+".advice")
		}
	}
	for key := range left {
		t.Errorf("no check says %s", key)
	}
	for _, level := range []core.Level{core.LevelOK, core.LevelNote, core.LevelBad} {
		for _, l := range languages {
			if Text(l, "doctor.level."+string(level), nil) == "" {
				t.Errorf("%s: level %s has no word", l, level)
			}
		}
	}
}

func TestEveryKindOfContactHasItsTexts(t *testing.T) {
	for _, kind := range core.ContactedKinds {
		needs(t, "contacted."+kind+".why")
		needs(t, "contacted."+kind+".learns")
	}
	if n := len(core.ContactedKinds); n != 7 {
		t.Errorf("%d kinds", n)
	}
}

func TestEveryReasonHasItsText(t *testing.T) {
	for _, why := range []core.Why{
		core.WhyNotFound, core.WhyNoNetwork, core.WhyNotAccepted, core.WhyRenewing, core.WhyUnconfirmed, core.WhyBlocked,
		core.WhyRefused, core.WhyDiskFull, core.WhyOtherBusy, core.WhyExpiredKeys, core.WhyOffline, core.WhyMailboxFull,
		core.WhyMailboxAway, core.WhyTwoHere, core.WhyTwoThere, "not_running", "not_running.mailbox",
	} {
		needs(t, "delivery.line.why."+string(why))
	}
	for _, where := range []core.Where{core.WhereHere, core.WhereMailbox, core.WhereDevice, core.WhereRead, "failed"} {
		needs(t, "delivery.line."+string(where), "name")
	}
	needs(t, "delivery.line.mailbox.since", "name", "since")
	needs(t, "delivery.line.holder", "name", "holder")
	needs(t, "delivery.line.holder.since", "name", "holder", "since")
	needs(t, "delivery.line.next", "time")
}

// TestWordsArePlain: nobody has to know the network's own words.
func TestWordsArePlain(t *testing.T) {
	jargon := regexp.MustCompile(`(?i)\b(NAT|relays?|multicast|mDNS|peers?|hosts?|nodes?|sockets?|DHT|UPnP|symmetri\w*|queues?|Knoten)\b`)
	for _, l := range languages {
		for key, text := range texts()[l] {
			text = strings.ReplaceAll(text, "kuvertd node", "")
			if found := jargon.FindString(text); found != "" {
				t.Errorf("%s: %s says %q", l, key, found)
			}
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		key    string
		params map[string]string
		want   string
	}{
		{"doctor.port.ok", map[string]string{"port": "47100"}, "Other computers speak to Kuvert here at port 47100."},
		{"doctor.port.ok", map[string]string{"port": "{{.port}}"}, "Other computers speak to Kuvert here at port {{.port}}."},
		{"doctor.port.ok", nil, "Other computers speak to Kuvert here at port ."},
		{"doctor.port.ok.advice", nil, ""},
	} {
		if got := Text(English, c.key, c.params); got != c.want {
			t.Errorf("%s: %q, want %q", c.key, got, c.want)
		}
	}
}

func TestLocale(t *testing.T) {
	for _, c := range []struct{ all, messages, lang, want string }{
		{"", "", "de_DE.UTF-8", "de-DE"},
		{"", "de_AT@euro", "en_US", "de-AT"},
		{"C", "de_DE", "de_DE", ""},
		{"C.UTF-8", "", "de_DE", ""},
		{"en_GB.UTF-8", "de_DE", "de_DE", "en-GB"},
		{"", "", "", ""},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		if got := Locale(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%v is %q, want %q", env, got, c.want)
		}
	}
}

// TestFilesHoldTextsAlone: package words knows no plural forms, and no key twice.
func TestFilesHoldTextsAlone(t *testing.T) {
	entries, err := Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, e := range entries {
		data, err := Files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]string
		if err := json.Unmarshal(data, &m); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
		total += len(m)
	}
	if n := len(texts()[German]) + len(texts()[English]); n != total {
		t.Errorf("%d texts in the files, %d loaded", total, n)
	}
}
