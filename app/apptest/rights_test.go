package apptest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/gdpr"
)

// exported is all that an export wrote, by path.
func exported(t testing.TB, c core.Client, person *chat.PersonID) (gdpr.Report, map[string]string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	r, err := gdpr.Export(context.Background(), c, gdpr.Options{Dir: dir, Person: person, HTML: true, JSON: true, Language: "de", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir+string(filepath.Separator))] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, all
}

func holds(files map[string]string, what string) (in []string) {
	for path, text := range files {
		if strings.Contains(path, what) || strings.Contains(text, what) {
			in = append(in, path)
		}
	}
	return in
}

const hostile = `<script>alert("x")</script><img src=x onerror=alert(1)>&'` + "\u202e"

func TestExportHoldsEverythingOfTheRightPeople(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		alice, bob, carol := w.Person("alice"), w.Person("bob"), w.Person("carol")
		w.Pair(alice, bob)
		w.Pair(alice, carol)
		for range 450 { // three pages
			alice.Sends(bob, "Zeile")
		}
		m := bob.Sends(alice, hostile)
		f := bob.SendsFiles(alice, "anbei", map[string][]byte{"plan.html": []byte("<script>bobs plan</script>")}, "plan.html")
		c := carol.Sends(alice, "carols Geheimnis")
		alice.Receives(m, f, c)
		alice.SeesFile(f, 0, chat.FileHere)

		w.Section("everybody")
		r, files := exported(w.T, alice.Core, nil)
		if r.People != 2 || r.Messages < 453 || r.Files != 1 || r.Missing != 0 {
			w.T.Errorf("report: %+v", r)
		}
		for _, s := range []string{"carols Geheimnis", bob.Me().String(), carol.Me().String(), "bobs plan"} {
			if holds(files, s) == nil {
				w.T.Errorf("%q is missing", s)
			}
		}
		if page := files["index.html"]; strings.Contains(page, "<script") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;script&gt;") {
			w.T.Error("what bob wrote is active in the page")
		}
		if page := files["index.html"]; !strings.Contains(page, "Sie sind jetzt mit bob verbunden.") {
			w.T.Error("the page does not say in words what a line tells")
		}
		var data struct{ Schema, Scope string }
		if err := json.Unmarshal([]byte(files["data.json"]), &data); err != nil || data.Schema != gdpr.Schema || data.Scope != "all" {
			w.T.Errorf("data.json: %+v, %v", data, err)
		}
		for path := range files {
			if strings.HasSuffix(path, ".html") && path != "index.html" {
				w.T.Errorf("%s would be opened by a browser", path)
			}
		}

		w.Section("bob alone")
		who := bob.Me()
		_, files = exported(w.T, alice.Core, &who)
		for _, s := range []string{"carol", carol.Me().String()} {
			if in := holds(files, s); in != nil {
				w.T.Errorf("%q stands in bob's export: %v", s, in)
			}
		}
		if holds(files, "bobs plan") == nil || strings.Count(files["data.json"], `"text":"Zeile"`) != 450 {
			w.T.Error("something of bob's is missing")
		}
		if _, err := gdpr.Export(context.Background(), alice.Core, gdpr.Options{Dir: os.TempDir(), JSON: true}); !errors.Is(err, gdpr.ErrNotEmpty) {
			w.T.Errorf("into a folder that is not empty: %v", err)
		}
	})
}

func TestEraseIsCompleteAndLogged(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
		ctx := context.Background()
		m := alice.Sends(bob, "Xylophonquartett")
		f := alice.SendsFiles(bob, "anbei", map[string][]byte{"a.txt": []byte("Inhalt")}, "a.txt")
		bob.Receives(m, f)
		bob.SeesFile(f, 0, chat.FileHere)
		bob.Sends(alice, "wartet")
		w.Advance(time.Minute)
		used, err := bob.Core.FileUsage(ctx)
		if err != nil || used.Bytes == 0 {
			w.T.Errorf("files: %+v %v", used, err)
		}

		w.Section("bob erases alice")
		if _, err := bob.Core.Erase(ctx, alice.Me(), "because"); !errors.Is(err, chat.ErrUnsupported) {
			w.T.Errorf("an unknown reason: %v", err)
		}
		got, err := bob.Core.Erase(ctx, alice.Me(), core.ErasedOnRequest)
		if err != nil || got.Messages < 3 || got.Files != 1 || got.Queues == 0 || !got.Scrubbed {
			w.T.Fatalf("erased: %+v, %v", got, err)
		}
		w.Advance(3 * time.Minute) // lanes, rooms and the log of contacted machines come to rest
		if _, err := bob.Core.PersonRecord(ctx, alice.Me()); !errors.Is(err, chat.ErrNotFound) {
			w.T.Errorf("record after: %v", err)
		}
		if used, err := bob.Core.FileUsage(ctx); err != nil || used.Bytes != 0 {
			w.T.Errorf("files after: %+v %v", used, err)
		}
		held, err := bob.Core.Holdings(ctx)
		if err != nil {
			w.T.Fatal(err)
		}
		for _, h := range held {
			switch h.Kind {
			case "contacts", "messages", "conversations", "outbox", "hosts", "queues", "files", "invitations":
				if h.Count != 0 {
					w.T.Errorf("%d %s are left", h.Count, h.Kind)
				}
			}
		}

		w.Section("alice writes as a stranger would")
		alice.Sends(bob, "bist du da?")
		w.Advance(10 * time.Minute)
		if all, err := bob.Core.Conversations(ctx); err != nil || len(all) != 0 {
			w.T.Errorf("conversations: %+v %v", all, err)
		}
		if _, err := bob.Core.PersonRecord(ctx, alice.Me()); !errors.Is(err, chat.ErrNotFound) {
			w.T.Errorf("record after alice wrote: %v", err)
		}

		w.Section("the log")
		log, err := bob.Core.ErasureLog(ctx)
		if err != nil || len(log.Entries) != 1 || core.VerifyErasures(log) != nil || len(log.Of(alice.Me())) != 1 || len(log.Of(bob.Me())) != 0 {
			w.T.Fatalf("log: %+v, %v", log, err)
		}
		raw, err := json.Marshal(log)
		if err != nil || bytes.Contains(raw, []byte(alice.Me().String())) || bytes.Contains(raw, []byte("alice")) {
			w.T.Errorf("the log names alice: %s %v", raw, err)
		}

		w.Section("they meet again")
		bob.Accepts(alice.Invites())
		w.Advance(10 * time.Minute)
		n := alice.Sends(bob, "neu")
		bob.Receives(n)
		alice.Sees(n, chat.Delivered)
		if _, err := bob.Core.Erase(ctx, alice.Me(), core.ErasedByChoice); err != nil {
			w.T.Fatal(err)
		}
		if log, err = bob.Core.ErasureLog(ctx); err != nil || core.VerifyErasures(log) != nil || len(log.Of(alice.Me())) != 2 {
			w.T.Fatalf("log: %+v, %v", log, err)
		}
		for what, spoil := range map[string]func(*core.ErasureLog){
			"time":    func(l *core.ErasureLog) { l.Entries[0].At = l.Entries[0].At.Add(time.Second) },
			"kind":    func(l *core.ErasureLog) { l.Entries[1].Kind = "request" },
			"reason":  func(l *core.ErasureLog) { l.Entries[1].Reason = core.ErasedOnRequest },
			"subject": func(l *core.ErasureLog) { l.Entries[0].Subject[0] ^= 1 },
			"chain":   func(l *core.ErasureLog) { l.Entries[1].Previous[0] ^= 1 },
			"missing": func(l *core.ErasureLog) { l.Entries = l.Entries[1:] },
			"signer":  func(l *core.ErasureLog) { l.Signer = alice.Me() },
		} {
			l, err := bob.Core.ErasureLog(ctx)
			if err != nil {
				w.T.Fatal(err)
			}
			spoil(&l)
			if !errors.Is(core.VerifyErasures(l), core.ErrErasureLog) {
				w.T.Errorf("a changed %s was not seen", what)
			}
		}
	})
}
