package ui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// look types into the search field and waits.
func (x *world) look(text string) []widgets.Found {
	x.u.side.search.SetText(text)
	x.pump.pass(typingPause)
	x.pump.run()
	return x.u.side.finder.results.Found()
}

// lines are what the search shows, one word for each.
func lines(found []widgets.Found) (out []string) {
	for _, f := range found {
		text := f.Name
		if f.Kind == widgets.FoundMessage {
			text += ": " + f.Text
		}
		out = append(out, text)
	}
	return out
}

func TestSearchFindsNames(t *testing.T) {
	x := open(t, setup{})
	for query, want := range map[string][]string{
		"kruger": {sabine}, "KRÜG": {sabine}, "weiss": {thomas}, "böhm": {elli}, "xyz": nil,
		"n": {sabine, "Aylin Yılmaz", "Steuerbüro Hartmann", "Jörg Lindemann", "Werkstatt Nord"},
	} {
		var got []string
		for _, f := range x.look(query) {
			if f.Kind == widgets.FoundPerson {
				got = append(got, f.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %q", query, got)
		}
	}
	x.look("xyz")
	x.mustSay("Nichts gefunden")
	x.look("schäfer")
	x.u.side.search.OnSubmitted("")
	x.pump.run()
	if x.u.current != uitest.Person("Petra Schäfer") || x.u.side.search.Text != "" {
		t.Error("Enter does not open what was found")
	}
	if !x.u.side.list.Visible() || x.u.side.finder.results.Visible() {
		t.Error("the list does not come back")
	}
}

func TestSearchFindsMessagesAndLeadsThere(t *testing.T) {
	x := open(t, setup{client: uitest.Office(900)})
	found := x.look("skonto")
	i := slices.IndexFunc(found, func(f widgets.Found) bool { return f.Kind == widgets.FoundMessage })
	if i < 1 || found[i-1].Name != "Nachrichten" {
		t.Fatalf("found %q", lines(found))
	}
	hit := found[len(found)-1]
	for _, f := range found {
		if f.Kind == widgets.FoundMessage {
			hit = f
		}
	}
	if len(hit.Marks) != 1 || !strings.EqualFold(hit.Text[hit.Marks[0].From:hit.Marks[0].To], "skonto") {
		t.Errorf("marks %v in %q", hit.Marks, hit.Text)
	}
	x.u.side.finder.open(hit)
	x.pump.run()
	if x.u.current != hit.Contact || x.u.side.search.Text != "skonto" {
		t.Error("a hit does not open its conversation beside the search")
	}
	shown := func() (marked, there bool) {
		for _, it := range x.u.conv.history.Items() {
			if it.Key.ID == hit.Message {
				return it.Marked, true
			}
		}
		return false, false
	}
	if marked, there := shown(); !marked || !there {
		t.Errorf("the message is there: %v, marked: %v", there, marked)
	}
	if !x.u.conv.history.OnScreen(widgets.Key{Kind: widgets.ItemBubble, ID: hit.Message}) {
		t.Error("the message is not on the screen")
	}
	x.pump.pass(markTime)
	if marked, there := shown(); marked || !there {
		t.Errorf("after a while the message is there: %v, marked: %v", there, marked)
	}
}

// TestSearchInANarrowWindow: the collapsed sidebar leads to the same search.
func TestSearchInANarrowWindow(t *testing.T) {
	x := open(t, setup{client: uitest.Office(900), size: fyne.NewSize(theme.MinWidth, theme.MinHeight)}).talk(sabine)
	x.mustNotSay("In allen Unterhaltungen suchen")
	test.Tap(x.u.side.find)
	x.mustSay("In allen Unterhaltungen suchen")
	if x.w.Canvas().Focused() != fyne.Focusable(x.u.side.search) {
		t.Fatal("no cursor in the field")
	}
	test.Type(x.u.side.search, "skonto")
	found := x.look("skonto")
	if len(found) < 2 || !uitest.Shown(x.w, x.u.side.finder.results) {
		t.Fatalf("shows %q", lines(found))
	}
	hit := found[1]
	x.u.side.finder.open(hit)
	x.pump.run()
	if x.u.current != hit.Contact || x.u.host.screen != nil || !x.u.conv.root.Visible() {
		t.Fatal("a hit does not lead to its conversation")
	}
	if !x.u.conv.history.OnScreen(widgets.Key{Kind: widgets.ItemBubble, ID: hit.Message}) {
		t.Error("the message is not on the screen")
	}
	x.u.focusSearch()
	if x.u.side.search.SelectedText() != "skonto" || !slices.Equal(lines(x.u.side.finder.results.Found()), lines(found)) {
		t.Error("the next hit is not at hand")
	}
	x.look("xyzzy")
	x.mustSay("Nichts gefunden")
	x.press(fyne.KeyEscape)
	if x.u.host.screen != nil || x.u.side.search.Text != "" || x.w.Canvas().Focused() != fyne.Focusable(x.u.conv.composer) {
		t.Error("Escape does not lead back to writing")
	}
}

// TestSearchWhileTheWindowChanges: made wide or narrow, it goes on.
func TestSearchWhileTheWindowChanges(t *testing.T) {
	x := open(t, setup{}).talk(thomas)
	large, small := fyne.NewSize(1100, 720), fyne.NewSize(theme.MinWidth, theme.MinHeight)
	results := x.u.side.finder.results
	found := lines(x.look("die"))
	for _, step := range []struct {
		size  fyne.Size
		ask   bool
		shown bool
	}{{large, false, true}, {small, false, false}, {small, true, true}, {large, false, true}, {small, false, false}} {
		x.w.Resize(step.size)
		if step.ask {
			x.u.focusSearch()
		}
		x.pump.run()
		if uitest.Shown(x.w, results) != step.shown || uitest.Shown(x.w, x.u.side.searchBox) != step.shown {
			t.Errorf("%v, asked %v: the search is shown: %v", step.size, step.ask, !step.shown)
		}
		if x.u.side.search.Text != "die" || !slices.Equal(lines(results.Found()), found) {
			t.Errorf("%v: the search is another one", step.size)
		}
		if list := uitest.Shown(x.w, x.u.side.list); list == (step.size == large) {
			t.Errorf("%v: the list is shown: %v", step.size, list)
		}
	}
}

func TestSearchAsksOncePerPause(t *testing.T) {
	x := open(t, setup{})
	x.u.side.search.SetText("d")
	x.u.side.search.SetText("do")
	x.u.side.search.SetText("donnerstag")
	x.pump.pass(time.Second)
	var asked []string
	for _, c := range x.c.Called() {
		if strings.HasPrefix(c, "Search") {
			asked = append(asked, c)
		}
	}
	if !slices.Equal(asked, []string{"Search donnerstag"}) {
		t.Errorf("asked %q", asked)
	}
}

// TestSearchShowsTheNewestAnswer: one that comes after further letters is dropped.
func TestSearchShowsTheNewestAnswer(t *testing.T) {
	x := open(t, setup{})
	f := x.u.side.finder
	x.look("xyzzy")
	x.u.side.search.SetText("die")
	x.pump.jobs = nil
	f.ask()
	late := x.pump.jobs[0](t.Context())
	x.pump.jobs = nil
	x.u.side.search.SetText("xyzzy")
	late()
	if len(f.hits) != 0 || f.failed {
		t.Errorf("shows %q", lines(f.results.Found()))
	}
}

func TestSearchFilters(t *testing.T) {
	x := open(t, setup{})
	all := x.look("die")
	f := x.u.side.finder
	choose := func(items []*fyne.MenuItem, name string) {
		t.Helper()
		for _, it := range items {
			if it.Label == name {
				it.Action()
				x.pump.run()
				return
			}
		}
		t.Fatalf("no %q", name)
	}
	choose(f.inItems(), thomas)
	in := f.results.Found()
	for _, l := range in {
		if l.Kind == widgets.FoundMessage && l.Name != thomas || l.Kind == widgets.FoundPerson {
			t.Errorf("in %s: %q", thomas, l.Text)
		}
	}
	if len(in) == 0 || len(in) >= len(all) || f.in.Value() != thomas {
		t.Errorf("%d of %d, chip %q", len(in), len(all), f.in.Value())
	}
	choose(f.fromItems(), "Von mir")
	for _, l := range f.results.Found() {
		if l.Kind == widgets.FoundMessage && l.Lead != "Ich:" {
			t.Errorf("from me: %q", l.Text)
		}
	}
	choose(f.whenItems(), "2021")
	if n := len(f.hits); n != 0 {
		t.Errorf("%d hits in 2021", n)
	}
	x.mustSay("Nichts gefunden")
	x.u.side.search.SetText("")
	if f.query != (chat.SearchQuery{}) || f.in.Value() != "" {
		t.Error("filters stay after the search")
	}
}

func TestSearchSaysWhenItFails(t *testing.T) {
	x := open(t, setup{})
	x.c.Change(func(c *uitest.Client) { c.Fail["Search"] = errors.New("gone") })
	x.look("die")
	x.mustSay("Die Suche ist fehlgeschlagen.")
}

func TestFindInConversation(t *testing.T) {
	x := open(t, setup{client: uitest.Office(900)}).talk(sabine)
	x.u.findHere()
	bar := x.u.conv.find.bar
	if x.w.Canvas().Focused() != fyne.Focusable(bar.Field) {
		t.Fatal("no cursor in the field")
	}
	test.Type(bar.Field, "die")
	x.pump.pass(time.Second)
	f := x.u.conv.find
	if len(f.hits) < 2 || !strings.HasPrefix(bar.Said(), "1 von ") {
		t.Fatalf("%d hits, it says %q", len(f.hits), bar.Said())
	}
	seen := map[chat.MessageID]bool{}
	for i := range f.hits {
		id := f.hits[f.at].ID
		if f.at != i || seen[id] || !x.u.conv.history.OnScreen(widgets.Key{Kind: widgets.ItemBubble, ID: id}) {
			t.Fatalf("hit %d is not shown at step %d", f.at, i)
		}
		seen[id] = true
		x.press(fyne.KeyReturn)
		if i > 20 {
			break
		}
	}
	at := f.at
	x.press(fyne.KeyDown)
	if f.at != at-1 {
		t.Errorf("down leads from %d to %d", at, f.at)
	}
	bar.Field.SetText("xyzzy")
	x.pump.pass(time.Second)
	if bar.Said() != "Nichts gefunden" {
		t.Errorf("it says %q", bar.Said())
	}
	x.press(fyne.KeyEscape)
	if bar.Visible() || f.open || x.w.Canvas().Focused() != fyne.Focusable(x.u.conv.composer) {
		t.Error("Escape does not lead back to writing")
	}
}
