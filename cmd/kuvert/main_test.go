package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/firststart"
)

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		out  string // on stdout
		err  string // on stderr
	}{
		{[]string{"--version"}, exitDone, release, ""},
		{[]string{"--help"}, exitDone, "", "--profile"},
		{[]string{"--odd"}, exitUsage, "", "--odd"},
		{[]string{"KUVERT:ABC"}, exitUsage, "", "KUVERT:ABC"},
	} {
		var out, err bytes.Buffer
		if code := start(c.args, &out, &err); code != c.code {
			t.Errorf("%q: code %d, want %d", c.args, code, c.code)
		}
		if !strings.Contains(out.String(), c.out) || !strings.Contains(err.String(), c.err) {
			t.Errorf("%q: says %q and %q", c.args, out.String(), err.String())
		}
	}
}

func TestNewProfile(t *testing.T) {
	for _, c := range []struct {
		answers firststart.Answers
		system  string
		want    core.NewProfile
	}{
		{firststart.Answers{Name: "A", Language: "de", LANOnly: true}, "de", core.NewProfile{Name: "A", Network: core.NetworkLAN}},
		{firststart.Answers{Name: "A", Language: "de"}, "en", core.NewProfile{Name: "A", Network: core.NetworkInternet, Language: "de"}},
	} {
		if got := newProfile(c.answers, c.system); got != c.want {
			t.Errorf("%+v under %s: %+v, want %+v", c.answers, c.system, got, c.want)
		}
	}
}

func TestNobodyToPresent(t *testing.T) {
	if presented(t.Context(), t.TempDir()) {
		t.Error("a window was shown that does not exist")
	}
}

// TestMetadata: FyneApp.toml says the same as the program.
func TestMetadata(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "FyneApp.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`ID = "` + appID + `"`, `Version = "` + release + `"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("FyneApp.toml lacks %s", want)
		}
	}
}
