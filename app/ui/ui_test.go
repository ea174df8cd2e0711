package ui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

const (
	sabine = "Sabine Krüger"
	thomas = "Thomas Weiß"
	elli   = "Elektro Böhm GmbH"
)

func names(rows []widgets.Row) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Name
	}
	return out
}

func TestConversationList(t *testing.T) {
	x := open(t, setup{})
	rows := x.u.side.list.Rows()
	want := []string{sabine, thomas, elli, "Aylin Yılmaz", "Steuerbüro Hartmann", "Jörg Lindemann", "Werkstatt Nord", "Petra Schäfer"}
	if got := names(rows); !slices.Equal(got, want) {
		t.Fatalf("order: %q", got)
	}
	for i, want := range []widgets.Row{
		{Name: sabine, Online: true, Verified: true, Lead: "Ich:", Preview: "Wunderbar, vielen Dank!", Mark: widgets.MarkDelivered, Time: "09:29"},
		{Name: thomas, Preview: "Sonst rufe ich dort noch einmal an und frage nach einem anderen Termin.", Time: "08:05", Unread: 3},
		{Name: elli, Verified: true, Lead: "Ich:", Preview: "Können Sie das Angebot bitte noch einmal schicken?", Mark: widgets.MarkQueued, Time: "Gestern"},
		{Name: "Aylin Yılmaz", Online: true, Lead: "Entwurf:", Draft: true, Preview: "Ich bringe die Muster mit, und dann", Time: "Gestern"},
		{Name: "Steuerbüro Hartmann", Lead: "Ich:", Preview: "Die Unterlagen liegen bei Ihnen im Briefkasten.", Mark: widgets.MarkRead, Time: "Sa."},
	} {
		got := rows[i]
		got.Contact = chat.PersonID{}
		if got != want {
			t.Errorf("row %d:\n got %+v\nwant %+v", i, got, want)
		}
	}
	if p := rows[7].Preview; p != "Einladung noch nicht beantwortet" {
		t.Errorf("a pending contact: %q", p)
	}
	if x.w.Title() != "(3) Kuvert" || !x.tray.unread {
		t.Errorf("title %q, tray %v", x.w.Title(), x.tray.unread)
	}
	x.mustSay("Nur dieses Netzwerk")
	x.mustSay("1 wartet")
	x.mustSay("Keine Unterhaltung gewählt")
}

func TestEmpty(t *testing.T) {
	x := open(t, setup{client: uitest.New("Anna")})
	x.mustSay("Noch keine Kontakte")
	uitest.Press(t, x.w, "Kontakt hinzufügen")
	if x.screen == nil || x.screen.title != "add" || !x.screen.shown {
		t.Error("the button does not open the screen")
	}
}

// TestUnread: the line of the new messages, and what is marked as read only if
// somebody can be looking.
func TestUnread(t *testing.T) {
	x := open(t, setup{})
	x.u.SetActive(false)
	x.talk(thomas)
	x.mustSay("Neue Nachrichten")
	if x.called("MarkRead 3") {
		t.Error("marked as read in a window without the keyboard")
	}
	x.u.SetActive(true)
	x.pump.run()
	if !x.called("MarkRead 3") {
		t.Error("not marked as read")
	}
	if x.w.Title() != "Kuvert" || x.tray.unread {
		t.Errorf("title %q, tray %v", x.w.Title(), x.tray.unread)
	}
	x.mustSay("Neue Nachrichten") // stays while one reads
	x.typed("Ja")
	x.press(fyne.KeyReturn)
	x.mustNotSay("Neue Nachrichten")
}

// TestUnreadLineComes: with the window inactive, what arrives is set off.
func TestUnreadLineComes(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.mustNotSay("Neue Nachrichten")
	x.arrives(sabine, "Noch etwas")
	x.mustNotSay("Neue Nachrichten")
	x.u.SetActive(false)
	x.arrives(sabine, "Und noch etwas")
	x.mustSay("Neue Nachrichten")
	items := x.u.conv.history.Items()
	i := slices.IndexFunc(items, func(it widgets.Item) bool { return it.Key.Kind == widgets.ItemDivider })
	if i < 0 || items[i+1].Text != "Und noch etwas" {
		t.Fatal("the line is in the wrong place")
	}
	x.u.SetActive(true)
	x.pump.run()
	x.mustSay("Neue Nachrichten")
	x.u.SetActive(false)
	x.mustNotSay("Neue Nachrichten")
}

func TestSend(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	if x.w.Canvas().Focused() != fyne.Focusable(x.u.conv.composer) {
		t.Fatal("the composer has no cursor")
	}
	x.typed("Grüße")
	x.u.conv.composer.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	x.press(fyne.KeyReturn)
	x.u.conv.composer.KeyUp(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	x.typed("aus Köln  ")
	if x.called("Send Grüße") {
		t.Fatal("Shift+Enter sends")
	}
	x.press(fyne.KeyReturn)
	if !x.called("Send Grüße\naus Köln") {
		t.Fatalf("not sent: %q", x.c.Called())
	}
	if x.u.conv.composer.Text != "" {
		t.Errorf("the composer holds %q", x.u.conv.composer.Text)
	}
	x.mustSay("aus Köln")
	x.mustSay("Wartet · 09:41")
	if !x.u.conv.history.AtEnd() {
		t.Error("what was sent is not on screen")
	}
	x.press(fyne.KeyReturn)
	if n := strings.Count(strings.Join(x.c.Called(), "|"), "Send "); n != 1 {
		t.Errorf("an empty message was sent (%d)", n)
	}
}

// TestSendFails: what was not taken comes back, before what was written since.
func TestSendFails(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string
	}{
		{chat.ErrDiskFull, "error.send.disk"},
		{chat.ErrBlocked, "error.send.blocked"},
		{errors.New("broken"), "error.send"},
	} {
		x := open(t, setup{}).talk(sabine)
		x.c.Change(func(k *uitest.Client) { k.Fail["Send"] = c.err })
		x.w.Canvas().Focus(x.u.conv.composer)
		test.Type(x.u.conv.composer, "wichtig")
		x.u.conv.composer.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		test.Type(x.u.conv.composer, "danach")
		x.pump.run()
		if got := x.u.conv.composer.Text; got != "wichtig\ndanach" {
			t.Errorf("%v: the composer holds %q", c.err, got)
		}
		if got := x.u.conv.trouble.Text(); got != word(c.says) {
			t.Errorf("%v: %q", c.err, got)
		}
		x.pump.pass(time.Minute)
		if !x.called("SaveDraft wichtig\ndanach") {
			t.Errorf("%v: not kept as a draft", c.err)
		}
	}
}

// word is t, whose name the tests need for themselves.
func word(key string) string { return t(key) }

// TestSendFailsElsewhere: the text of a message that was not taken is kept as the
// draft of its own conversation.
func TestSendFailsElsewhere(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.c.Change(func(k *uitest.Client) { k.Fail["Send"] = chat.ErrDiskFull })
	x.w.Canvas().Focus(x.u.conv.composer)
	test.Type(x.u.conv.composer, "für Sabine")
	x.u.conv.composer.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	x.u.ShowConversation(uitest.Person(thomas))
	x.pump.run()
	if x.u.conv.composer.Text != "" {
		t.Errorf("Thomas's composer holds %q", x.u.conv.composer.Text)
	}
	x.talk(sabine)
	if x.u.conv.composer.Text != "für Sabine" {
		t.Errorf("Sabine's composer holds %q", x.u.conv.composer.Text)
	}
}

func TestTooLong(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.u.conv.composer.SetText(strings.Repeat("ä", chat.MaxTextSize/2+1))
	x.press(fyne.KeyReturn)
	if x.u.conv.composer.Text == "" || strings.Contains(strings.Join(x.c.Called(), " "), "Send") {
		t.Error("a text that is too long was sent")
	}
	if x.u.conv.trouble.Text() != word("error.send.long") {
		t.Error("nothing is said")
	}
}

// TestDraft: stored after a pause, at leaving and at the end; gone with sending.
func TestDraft(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.typed("Entw")
	x.pump.pass(draftPause / 2)
	x.typed("urf")
	x.pump.pass(draftPause / 2)
	if x.called("SaveDraft Entw") {
		t.Error("stored while writing")
	}
	x.pump.pass(draftPause)
	if !x.called("SaveDraft Entwurf") {
		t.Error("not stored after a pause")
	}
	x.typed(" zwei")
	x.talk(thomas)
	if !x.called("SaveDraft Entwurf zwei") {
		t.Error("not stored at leaving")
	}
	if x.u.conv.composer.Text != "" {
		t.Errorf("a draft moved to another conversation: %q", x.u.conv.composer.Text)
	}
	if r := x.u.side.list.Rows(); r[0].Lead != "Entwurf:" || r[0].Preview != "Entwurf zwei" {
		t.Errorf("the list shows %+v", r[0])
	}
	x.talk(sabine)
	if x.u.conv.composer.Text != "Entwurf zwei" {
		t.Errorf("not brought back: %q", x.u.conv.composer.Text)
	}
	x.typed("!")
	x.press(fyne.KeyReturn)
	before := len(x.c.Called())
	x.pump.pass(time.Minute)
	for _, c := range x.c.Called()[before:] {
		if strings.HasPrefix(c, "SaveDraft") {
			t.Errorf("a draft after sending: %q", c)
		}
	}
	x.typed("am Ende")
	x.u.Quit()
	if !x.called("SaveDraft am Ende") || x.quits != 1 {
		t.Error("not stored at the end")
	}
}

func TestClose(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.typed("halb")
	x.tray.present = true
	x.u.close()
	x.pump.run()
	if x.quits != 0 || !x.called("SaveDraft halb") {
		t.Error("with a tray, closing must hide and store the draft")
	}
	x.tray.present = false
	x.u.close()
	if x.quits != 1 {
		t.Error("without a tray, closing must quit")
	}
}

func TestWindowSize(t *testing.T) {
	x := open(t, setup{})
	x.w.Resize(fyne.NewSize(900, 650))
	x.u.close()
	if got := x.u.savedSize(); got != fyne.NewSize(900, 650) {
		t.Errorf("remembered %v", got)
	}
	fyne.CurrentApp().Preferences().SetFloat(prefWidth, 5)
	if got := x.u.savedSize().Width; got != theme.MinWidth {
		t.Errorf("a window %v wide", got)
	}
}

// TestNotifications: constant words unless content is switched on, one for a
// flood, none for what is on screen, and none that were not asked for.
func TestNotifications(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.arrives(sabine, "auf dem Schirm")
	if len(x.notes.shown) != 0 {
		t.Fatal("notified of what is on screen")
	}
	x.u.SetActive(false)
	x.arrives(sabine, "geheim")
	if len(x.notes.shown) != 1 {
		t.Fatalf("%d notifications", len(x.notes.shown))
	}
	n := x.notes.shown[0]
	if strings.Contains(n.Title+n.Body, "geheim") || strings.Contains(n.Title+n.Body, "Sabine") || !n.Plain {
		t.Errorf("content is shown: %+v", n)
	}
	x.notes.open(n.Person)
	x.u.SetActive(true)
	x.pump.run()
	if x.u.current != uitest.Person(sabine) || x.notes.cleared == 0 {
		t.Error("pressing it does not open the conversation, or it stays")
	}
	x.pump.pass(time.Minute)
	x.c.Change(func(c *uitest.Client) { c.Values[core.SettingNotifyContent] = "true" }, event.Event{Kind: event.SettingsChanged})
	x.pump.run()
	x.u.SetActive(false)
	x.arrives(thomas, "mit Inhalt")
	x.arrives(thomas, "noch mehr")
	if got := x.notes.shown[len(x.notes.shown)-1]; got.Title != thomas {
		t.Errorf("with content switched on: %+v", got)
	}
	x.c.Change(func(c *uitest.Client) { c.Values[core.SettingNotify] = "false" }, event.Event{Kind: event.SettingsChanged})
	x.pump.run()
	x.pump.pass(time.Minute)
	before := len(x.notes.shown)
	x.arrives(thomas, "still")
	if len(x.notes.shown) != before {
		t.Error("notified although it is switched off")
	}
}

func TestOneNotificationForAFlood(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.u.SetActive(false)
	for range 20 {
		x.c.Flood(sabine, 500)
		x.pump.run()
	}
	if len(x.notes.shown) != 1 {
		t.Errorf("%d notifications at once", len(x.notes.shown))
	}
	x.pump.pass(time.Minute)
	if n := len(x.notes.shown); n != 1 && n != 2 {
		t.Errorf("%d notifications for a flood", n)
	}
	if got := x.notes.shown[len(x.notes.shown)-1].Body; got != "10000 neue Nachrichten" {
		t.Errorf("it says %q", got)
	}
}

func TestUnreadFilter(t *testing.T) {
	x := open(t, setup{}).talk("Petra Schäfer")
	x.u.side.chips.Choose(filterUnread)
	if got := names(x.u.side.list.Rows()); !slices.Equal(got, []string{thomas, "Petra Schäfer"}) { // the open one stays
		t.Errorf("unread: %q", got)
	}
}

func TestBanners(t *testing.T) {
	x := open(t, setup{})
	for _, k := range []struct{ trouble, says string }{{core.TroubleNoNetwork, "error.offline"}, {core.TroubleDiskFull, "error.disk"}, {core.TroubleDatabase, "error.database"}, {"", ""}} {
		x.c.Change(func(c *uitest.Client) { c.Net.Trouble = k.trouble }, event.Event{Kind: event.TroubleChanged})
		x.pump.run()
		want := ""
		if k.says != "" {
			want = word(k.says)
		}
		if got := x.u.banner.Text(); got != want {
			t.Errorf("%q: %q", k.trouble, got)
		}
	}
	x.c.Change(func(c *uitest.Client) { c.Fail["Network"] = errors.New("gone") }, event.Event{Kind: event.NetworkChanged})
	x.pump.run()
	x.mustSay(word("error.core"))
	x.c.Change(func(c *uitest.Client) { delete(c.Fail, "Network") }, event.Event{Kind: event.NetworkChanged})
	x.pump.run()
	x.mustNotSay(word("error.core"))
}

// TestWhy: a message that waits says why, once it waited longer than sending
// takes; one that failed says it at once and can be sent again.
func TestWhy(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	x.mustSay("Wartet, bis Elektro Böhm GmbH wieder erreichbar ist.")
	x.typed("Hallo?")
	x.press(fyne.KeyReturn)
	x.mustNotSay("Wartet, bis Elektro Böhm GmbH wieder erreichbar ist.")
	id := x.u.conv.view.msgs[len(x.u.conv.view.msgs)-1].ID
	x.c.Change(func(c *uitest.Client) { c.Ways[id] = core.Delivery{State: chat.Queued, Why: core.WhyNoNetwork} }, event.Event{Kind: event.NetworkChanged})
	x.pump.run()
	x.c.Change(func(*uitest.Client) {}, event.Event{Kind: event.MessageChanged, Conversation: x.conv(elli), Message: id})
	x.pump.run()
	if s := strings.Join(uitest.Texts(x.w), " "); strings.Contains(s, "keine Netzverbindung") {
		t.Error("it says why before it could have been sent")
	}
	x.pump.pass(2 * patience)
	if s := strings.Join(uitest.Texts(x.w), " "); !strings.Contains(s, "keine Netzverbindung") {
		t.Errorf("it does not say why: %q", s)
	}
	x.talk("Werkstatt Nord")
	x.mustSay("Nicht zugestellt · 09:41")
	x.mustSay("Erneut senden")
	failed := x.u.conv.view.msgs[0].ID
	x.u.conv.history.OnAction(x.u.conv.history.Items()[1])
	x.pump.run()
	if !x.called("Resend " + failed.String()) {
		t.Errorf("not sent again: %q", x.c.Called())
	}
	x.mustNotSay("Erneut senden")
}

// TestEachWhy: every reason that the core knows has a sentence in both languages.
func TestEachWhy(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		open(t, setup{language: language})
		for _, w := range []core.Why{
			core.WhyNotFound, core.WhyNoNetwork, core.WhyNotAccepted, core.WhyRenewing, core.WhyUnconfirmed, core.WhyBlocked, core.WhyRefused,
			core.WhyDiskFull, core.WhyOtherBusy, core.WhyExpiredKeys, core.WhyOffline, core.WhyMailboxFull, core.WhyMailboxAway,
			core.WhyTwoHere, core.WhyTwoThere,
		} {
			if got := why(w, "Anna"); got == "" || strings.HasPrefix(got, "delivery.") {
				t.Errorf("%s: %s: %q", language, w, got)
			}
		}
	}
}

// TestPanel: the panel under a message opens and closes by pointer and keyboard,
// counts down, and follows what happens to the message.
func TestPanel(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	m := x.u.conv.view.msgs[0]
	way := func(d core.Delivery) {
		x.c.Change(func(k *uitest.Client) { k.Ways[m.ID] = d }, event.Event{Kind: event.NetworkChanged})
		x.pump.run()
	}
	way(core.Delivery{State: chat.Queued, Where: core.WhereHere, Why: core.WhyNotFound, NextTry: uitest.Now.Add(20 * time.Second)})
	x.w.Canvas().Focus(x.u.conv.history)
	x.press(fyne.KeyReturn)
	x.mustSay("Nächster Versuch in 20 Sekunden")
	x.pump.pass(3 * time.Second)
	x.mustSay("Nächster Versuch in 17 Sekunden")
	x.u.SetActive(false)
	x.pump.pass(10 * time.Second)
	x.mustSay("Nächster Versuch in 17 Sekunden") // nobody can be looking
	x.u.SetActive(true)
	x.mustSay("Nächster Versuch in 7 Sekunden")
	x.c.Change(func(k *uitest.Client) {
		k.Ways[m.ID] = core.Delivery{State: chat.Queued, Where: core.WhereHere, Why: core.WhyNotFound, NextTry: uitest.Now.Add(time.Minute), Attempts: 1}
	})
	x.pump.pass(8 * time.Second)
	x.mustSay("1 Versuch bisher") // asked again when the time was over
	way(core.Delivery{State: chat.Sent, Where: core.WhereMailbox, Holder: thomas, Why: core.WhyOffline})
	x.mustSay("Liegt bei Thomas Weiß auf dem Computer")
	for _, focus := range []fyne.Focusable{x.u.conv.history, x.u.conv.composer, nil} {
		if x.w.Canvas().Unfocus(); focus != nil {
			x.w.Canvas().Focus(focus)
		}
		x.press(fyne.KeyEscape)
		x.mustNotSay("Liegt bei Thomas Weiß auf dem Computer")
		x.u.conv.toggleDetails(m.ID)
		x.pump.run()
		x.mustSay("Liegt bei Thomas Weiß auf dem Computer")
	}
	alive := 0
	for _, a := range x.pump.later {
		if a.f != nil {
			alive++
		}
	}
	x.u.leave()
	x.pump.run()
	x.pump.pass(time.Minute)
	if alive > 5 {
		t.Errorf("%d timers for one panel", alive)
	}
}

// TestFooterLeadsToNetwork: what the foot of the list says can be changed by a
// press on it.
func TestFooterLeadsToNetwork(t *testing.T) {
	x := open(t, setup{})
	test.Tap(x.u.side.footer)
	if x.screen == nil || x.screen.title != "settings" || x.screen.revealed != "network" {
		t.Errorf("opened %+v", x.screen)
	}
}

// TestPagesLeadBack: a page that was opened from the settings leads back to them,
// with its place kept; the cross closes both.
func TestPagesLeadBack(t *testing.T) {
	x := open(t, setup{})
	x.u.ShowSettings()
	settings := x.u.host.screen
	x.u.ShowDoctor()
	x.u.ShowContacted()
	if !x.u.host.back.Visible() {
		t.Error("no way back")
	}
	x.u.Back()
	if x.u.host.screen != settings || x.u.host.back.Visible() {
		t.Errorf("back at %v", x.u.host.screen)
	}
	x.u.ShowDoctor()
	test.Tap(x.u.host.shut)
	if x.u.host.screen != nil {
		t.Error("the cross does not close")
	}
	x.u.ShowDoctor()
	if x.u.host.back.Visible() {
		t.Error("a way back to nowhere")
	}
	x.u.escape()
	if x.u.host.screen != nil {
		t.Error("Escape does not close")
	}
}

// TestBannerLeadsToDoctor: what says that the network is gone leads to the page
// that says why.
func TestBannerLeadsToDoctor(t *testing.T) {
	x := open(t, setup{})
	x.c.Change(func(c *uitest.Client) { c.Net.Trouble = core.TroubleNoNetwork }, event.Event{Kind: event.NetworkChanged})
	x.pump.run()
	x.mustSay("Prüfen")
	x.u.banner.OnAction()
	if x.screen == nil || x.screen.title != "doctor" {
		t.Errorf("opened %+v", x.screen)
	}
}

// TestMailboxWord: a message that waits in a mailbox is not called sent.
func TestMailboxWord(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	m := x.u.conv.view.msgs[0]
	x.c.Change(func(k *uitest.Client) {
		id := x.conv(elli)
		k.Msgs[id][0].State = chat.Sent
		k.Ways[m.ID] = core.Delivery{State: chat.Sent, Where: core.WhereMailbox, Why: core.WhyOffline}
	}, event.Event{Kind: event.MessageChanged, Conversation: x.conv(elli), Message: m.ID})
	x.pump.run()
	x.mustSay("Im Briefkasten · 13:41")
}

// TestDetails: the panel under a message says where it is, why, and when it is
// tried again.
func TestDetails(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	at := uitest.Now.Add(20 * time.Minute)
	m := x.u.conv.view.msgs[0]
	for _, c := range []struct {
		d    core.Delivery
		says []string
	}{
		{core.Delivery{State: chat.Queued, Why: core.WhyNotFound, Attempts: 4}, []string{"Wartet auf diesem Computer", "Nächster Versuch: sobald der Computer von Elektro Böhm GmbH zu sehen ist", "4 Versuche bisher"}},
		{core.Delivery{State: chat.Queued, Why: core.WhyOtherBusy, NextTry: at}, []string{"Nächster Versuch in 20 Minuten"}},
		{core.Delivery{State: chat.Queued, Why: core.WhyOtherBusy, NextTry: at.Add(time.Hour)}, []string{"Nächster Versuch: 11:01 Uhr"}},
		{core.Delivery{State: chat.Sent, Where: core.WhereMailbox, HeldAt: uitest.Now.Add(-time.Hour), Why: core.WhyOffline}, []string{"Liegt im Briefkasten, heute um 08:41 hinterlegt", "Er holt die Nachricht ab, sobald er wieder verbunden ist."}},
		{core.Delivery{State: chat.Sent, Where: core.WhereMailbox, Holder: sabine, Why: core.WhyOffline}, []string{"Liegt bei Sabine Krüger auf dem Computer"}},
		{core.Delivery{State: chat.Queued, Where: core.WhereHere, Why: core.WhyMailboxFull}, []string{"Wartet auf diesem Computer", "der Briefkasten ist voll"}},
		{core.Delivery{State: chat.Queued, Where: core.WhereHere, Why: core.WhyMailboxAway}, []string{"der Briefkasten ist nicht erreichbar"}},
		{core.Delivery{State: chat.Queued, Why: core.WhyRenewing, NextTry: uitest.Now.Add(-time.Minute)}, []string{"Nächster Versuch: gleich"}},
	} {
		x.c.Change(func(k *uitest.Client) { k.Ways[m.ID] = c.d }, event.Event{Kind: event.NetworkChanged})
		x.pump.run()
		x.u.conv.toggleDetails(m.ID)
		x.pump.run()
		all := strings.Join(uitest.Texts(x.w), " ") // long lines are broken
		for _, s := range append(c.says, "Geschrieben: 23. November 2025, 13:41 Uhr") {
			if !strings.Contains(all, s) {
				t.Errorf("%v: it does not say %q", c.d.Why, s)
			}
		}
		x.u.conv.toggleDetails(m.ID)
		x.pump.run()
		x.mustNotSay("Wartet auf diesem Computer")
	}
}

// TestWords: every state, reason and notice has its words in both languages, and
// they hold no jargon.
func TestWords(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		open(t, setup{language: language})
		var all []string
		for _, w := range []core.Why{core.WhyNotFound, core.WhyNoNetwork, core.WhyNotAccepted, core.WhyRenewing, core.WhyUnconfirmed, core.WhyBlocked, core.WhyRefused, core.WhyDiskFull, core.WhyOtherBusy, core.WhyExpiredKeys, core.WhyTwoHere, core.WhyTwoThere} {
			s := why(w, "Anna")
			if s == "" || strings.HasPrefix(s, "delivery.") {
				t.Errorf("%s: no words for %q", language, w)
			}
			all = append(all, s)
		}
		for _, n := range []chat.Notice{chat.NoticeConnected, chat.NoticeSessionRenewed, chat.NoticeVerified, chat.NoticeInviteReused, chat.NoticeBranch, chat.NoticeTwoHere, chat.NoticeRefused} {
			s := notice(chat.Message{Kind: chat.KindNotice, Text: string(n)}, "Anna")
			if strings.HasPrefix(s, "conversation.") || s == word("conversation.notice.unknown") {
				t.Errorf("%s: no words for %q", language, n)
			}
			all = append(all, s)
		}
		for n := range timerSentences {
			s := notice(chat.Message{Kind: chat.KindNotice, Text: string(n)}, "Anna")
			if strings.HasPrefix(s, "conversation.") {
				t.Errorf("%s: no words for %q", language, n)
			}
			all = append(all, s)
		}
		for s := chat.Queued; s <= chat.Received; s++ {
			all = append(all, word(stateSentences[s]))
			if s != chat.Received {
				all = append(all, word(stateWords[s]))
			}
		}
		if got := why("from the future", "Anna"); got != "" {
			t.Errorf("an unknown reason says %q", got)
		}
		for _, jargon := range []string{"peer", "libp2p", "ratchet", "session", "Session", "Handshake", "Envelope", "{{"} {
			for _, s := range all {
				if strings.Contains(s, jargon) {
					t.Errorf("%s: %q says %q", language, s, jargon)
				}
			}
		}
	}
}

func TestBlocked(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.c.Change(func(c *uitest.Client) { c.People[0].Blocked = true }, event.Event{Kind: event.ContactChanged, Contact: uitest.Person(sabine)})
	x.pump.run()
	if x.u.conv.write.Visible() || x.u.conv.blocked.Text() != word("conversation.blocked.text") {
		t.Error("a blocked contact can be written to")
	}
	x.u.conv.blocked.OnAction()
	x.pump.run()
	if !x.u.conv.write.Visible() || !x.called("SetBlocked false") {
		t.Error("unblocking does not bring the composer back")
	}
}

// TestPaging reads 3,000 messages back to the first and returns: nothing is
// missing, doubled or out of order, and what is held stays bounded.
func TestPaging(t *testing.T) {
	x := open(t, setup{client: uitest.Office(3000)}).talk(sabine)
	seen := map[uint64]bool{}
	look := func() {
		last := uint64(0)
		for _, m := range x.u.conv.view.msgs {
			if m.Seq <= last {
				t.Fatalf("%d follows %d", m.Seq, last)
			}
			last = m.Seq
			seen[m.Seq] = true
		}
		if n := len(x.u.conv.view.msgs); n > keepLoaded {
			t.Fatalf("%d messages are held", n)
		}
	}
	look()
	for i := 0; x.u.conv.view.older; i++ {
		if i > 3000 {
			t.Fatal("the beginning is never reached")
		}
		x.u.conv.history.Page(fyne.KeyPageUp)
		x.pump.run()
		look()
	}
	if len(seen) != 3000 {
		t.Errorf("%d of 3000 messages were there", len(seen))
	}
	clear(seen)
	for i := 0; x.u.conv.view.newer || !x.u.conv.history.AtEnd(); i++ {
		if i > 3000 {
			t.Fatal("the end is never reached")
		}
		x.u.conv.history.Page(fyne.KeyPageDown)
		x.pump.run()
		look()
	}
	x.u.conv.history.Page(fyne.KeyHome)
	x.pump.run()
	x.u.conv.history.Page(fyne.KeyEnd)
	x.pump.run()
	if !x.u.conv.history.AtEnd() || x.u.conv.view.newer {
		t.Error("End does not lead to the newest message")
	}
}

// TestReadingBack: what arrives while one reads back does not move the page, and
// is counted on the button.
func TestReadingBack(t *testing.T) {
	x := open(t, setup{client: uitest.Office(500)}).talk(sabine)
	x.u.conv.history.ScrollBy(3000)
	x.pump.run()
	before := x.u.conv.history.Seen()
	for i := range 5 {
		x.arrives(sabine, fmt.Sprint("neu ", i))
	}
	if got := x.u.conv.history.Seen(); got != before {
		t.Errorf("the page moved from %d to %d", before, got)
	}
	x.mustSay("5")
	x.u.conv.history.ToBottom()
	x.pump.run()
	x.mustSay("neu 4")
	if !x.called("MarkRead 505") {
		t.Errorf("not read: %q", x.c.Called()[len(x.c.Called())-3:])
	}
}

func TestQuote(t *testing.T) {
	x := open(t, setup{client: uitest.Office(2000)})
	first := x.c.Msgs[x.conv(sabine)][3]
	x.talk(sabine)
	x.c.Arrive(x.conv(sabine), chat.Message{Sender: uitest.Person(sabine), Kind: chat.KindText, Text: "Antwort", State: chat.Received, ReplyTo: first.ID, SentAt: uitest.Now})
	x.pump.run()
	items := x.u.conv.history.Items()
	it := items[len(items)-1]
	if it.Quote == "" || it.QuoteOf != first.ID {
		t.Fatalf("no quote: %+v", it)
	}
	x.u.conv.history.OnQuote(it)
	x.pump.run()
	if s := x.u.conv.history.Seen(); s < 2 || s > 60 {
		t.Errorf("the quote leads to %d", s)
	}
}

// TestInserted: a message that belongs between others is put there.
func TestInserted(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.c.Change(func(c *uitest.Client) {
		list := c.Msgs[x.conv(sabine)]
		late := list[4]
		late.ID, late.Text = chat.MessageID{9}, "verspätet"
		list = slices.Insert(list, 5, late)
		slices.SortFunc(list, compare)
		c.Msgs[x.conv(sabine)] = list
	}, event.Event{Kind: event.MessageAdded, Conversation: x.conv(sabine), Message: chat.MessageID{9}})
	x.pump.run()
	i := slices.IndexFunc(x.u.conv.view.msgs, func(m chat.Message) bool { return m.Text == "verspätet" })
	if i < 4 || i > 6 {
		t.Errorf("it is at %d", i)
	}
}

// TestElsewhere: while one reads in the middle of a long conversation, what happens
// outside of what is loaded is not mixed in.
func TestElsewhere(t *testing.T) {
	x := open(t, setup{client: uitest.Office(3000)}).talk(sabine)
	x.u.conv.seek(1500)
	x.pump.run()
	n, first := len(x.u.conv.view.msgs), x.u.conv.view.msgs[0].Seq
	if !x.u.conv.view.newer || !x.u.conv.view.older {
		t.Fatal("not in the middle")
	}
	x.arrives(sabine, "am Ende")
	early := x.c.Msgs[x.conv(sabine)][2].ID
	x.c.Change(func(*uitest.Client) {}, event.Event{Kind: event.MessageChanged, Conversation: x.conv(sabine), Message: early})
	x.pump.run()
	if got := x.u.conv.view; len(got.msgs) != n || got.msgs[0].Seq != first || got.last != 3001 {
		t.Errorf("%d messages from %d to %d", len(got.msgs), got.msgs[0].Seq, got.last)
	}
}

func TestScreens(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.u.ShowSettings()
	x.mustSay("settings")
	if x.u.conv.root.Visible() {
		t.Error("the conversation shows through")
	}
	x.c.Change(func(*uitest.Client) {}, event.Event{Kind: event.NearbyChanged})
	x.pump.run()
	if x.screen.changed == 0 {
		t.Error("the screen hears nothing")
	}
	x.u.dropped(fyne.Position{}, []fyne.URI{storage.NewFileURI("/tmp/a.png")})
	if x.screen.dropped != 1 {
		t.Error("the screen gets nothing dropped")
	}
	old := x.screen
	x.press(fyne.KeyEscape)
	if x.u.host.screen != nil || !old.hidden || !x.u.conv.root.Visible() {
		t.Error("Escape does not lead back")
	}
	x.u.ShowContact(uitest.Person(sabine))
	if !x.u.conv.root.Visible() {
		t.Error("the details hide the conversation although there is room")
	}
	x.w.Resize(fyne.NewSize(700, 500))
	if x.u.conv.root.Visible() {
		t.Error("both are squeezed into a small window")
	}
	x.talk(thomas)
	if x.u.host.screen != nil {
		t.Error("choosing a conversation leaves the screen open")
	}
}

func TestCollapse(t *testing.T) {
	x := open(t, setup{size: fyne.NewSize(theme.CollapseUnder, 500)}).talk(sabine)
	if x.u.side.root.Size().Width != theme.Sidebar {
		t.Errorf("%v", x.u.side.root.Size())
	}
	x.mustSay("Kuvert")
	x.w.Resize(fyne.NewSize(theme.CollapseUnder-1, 500))
	if x.u.side.root.Size().Width != theme.SidebarCollapsed {
		t.Errorf("%v", x.u.side.root.Size())
	}
	x.mustNotSay("Kuvert")
	x.mustSay("TW")
	x.mustSay("3")
}

func TestRequests(t *testing.T) {
	x := open(t, setup{})
	x.u.SetActive(false)
	x.c.Change(func(c *uitest.Client) { c.Strange = []chat.Request{{ID: uitest.Person("X"), Name: "X"}} }, event.Event{Kind: event.RequestChanged})
	x.pump.run()
	if x.u.side.waiting.Text() != "Eine Person möchte sich mit Ihnen verbinden." || len(x.notes.shown) != 1 {
		t.Errorf("%q, %v", x.u.side.waiting.Text(), x.notes.shown)
	}
	x.w.Resize(fyne.NewSize(theme.CollapseUnder-1, 500))
	x.mustSay("1")
	if got := x.u.side.add.AccessibilityLabel(); got != "Eine Person möchte sich mit Ihnen verbinden." {
		t.Errorf("collapsed: %q", got)
	}
	x.c.Change(func(c *uitest.Client) { c.Strange = nil }, event.Event{Kind: event.RequestChanged})
	x.pump.run()
	if x.u.side.waiting.Text() != "" || x.u.side.add.AccessibilityLabel() != "Kontakt hinzufügen" {
		t.Error("it stays")
	}
}

// TestWhoAskedIsNotAsked: who clicked on a name is told to compare, not that somebody
// wants to connect.
func TestWhoAskedIsNotAsked(t *testing.T) {
	x := open(t, setup{})
	for _, incoming := range []bool{true, false} {
		x.c.Change(func(c *uitest.Client) {
			c.Compares = []core.Pairing{{ID: "1", Name: "X", Digits: "123456", Incoming: incoming, State: core.PairingCompare}}
		}, event.Event{Kind: event.PairingChanged})
		x.pump.run()
		want := map[bool]string{
			true: "Eine Person möchte sich mit Ihnen verbinden.", false: "Ihre Anfrage wurde beantwortet: Vergleichen Sie die sechs Ziffern.",
		}
		if got := x.u.side.waiting.Text(); got != want[incoming] {
			t.Errorf("incoming %v: %q", incoming, got)
		}
	}
}

// TestKeyboard: everything can be reached without a mouse.
func TestKeyboard(t *testing.T) {
	x := open(t, setup{})
	keys := x.u.keys()
	do := func(k fyne.KeyName, m fyne.KeyModifier) {
		t.Helper()
		f := keys[desktop.CustomShortcut{KeyName: k, Modifier: m}]
		if f == nil {
			t.Fatalf("no shortcut for %s", k)
		}
		f()
		x.pump.run()
	}
	do(fyne.KeyDown, fyne.KeyModifierAlt)
	if x.u.current != uitest.Person(sabine) {
		t.Error("Alt+Down does not open the first conversation")
	}
	do(fyne.KeyDown, fyne.KeyModifierAlt)
	do(fyne.KeyUp, fyne.KeyModifierAlt)
	if x.u.current != uitest.Person(sabine) {
		t.Error("Alt+Up does not lead back")
	}
	do(fyne.KeyF, fyne.KeyModifierShortcutDefault)
	if x.w.Canvas().Focused() != fyne.Focusable(x.u.conv.find.bar.Field) {
		t.Error("the search in the conversation has no cursor")
	}
	x.press(fyne.KeyEscape)
	do(fyne.KeyK, fyne.KeyModifierShortcutDefault)
	if x.w.Canvas().Focused() != fyne.Focusable(x.u.side.search) {
		t.Error("the search has no cursor")
	}
	x.press(fyne.KeyDown)
	x.press(fyne.KeyDown)
	x.press(fyne.KeyReturn)
	if x.u.current != uitest.Person(thomas) {
		t.Error("the arrows and Enter do not open a conversation")
	}
	do(fyne.KeyN, fyne.KeyModifierShortcutDefault)
	if x.screen == nil || x.screen.title != "add" {
		t.Error("Ctrl+N")
	}
	x.u.Back()
	x.w.Canvas().Unfocus()
	x.w.Canvas().OnTypedRune()('z')
	if x.u.conv.composer.Text != "z" {
		t.Error("typing does not reach the composer")
	}
	x.u.conv.composer.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyComma, Modifier: fyne.KeyModifierShortcutDefault})
	if x.screen.title != "settings" {
		t.Error("the composer swallows shortcuts")
	}
	x.u.Back()
	x.u.conv.composer.SetText("a")
	uitest.Reachable(t, x.w)
}

// TestIdle: without the keyboard there is no blinking cursor; it comes back.
func TestIdle(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.u.SetActive(false)
	if x.w.Canvas().Focused() != nil {
		t.Error("the cursor blinks in an inactive window")
	}
	x.u.SetActive(true)
	if x.w.Canvas().Focused() != fyne.Focusable(x.u.conv.composer) {
		t.Error("the cursor does not come back")
	}
}

// TestOverflow: nothing is wider than its place, in both languages, in any size.
func TestOverflow(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, s := range []fyne.Size{{Width: 680, Height: 400}, {Width: 800, Height: 600}, {Width: 1100, Height: 720}, {Width: 1600, Height: 1000}} {
			x := open(t, setup{language: language, size: s})
			uitest.Overflow(t, x.w)
			for _, who := range []string{sabine, thomas, elli, "Werkstatt Nord", "Petra Schäfer"} {
				x.talk(who)
				uitest.Overflow(t, x.w)
			}
			x.c.Change(func(c *uitest.Client) { c.Net.Trouble = core.TroubleDiskFull; c.Strange = make([]chat.Request, 2) },
				event.Event{Kind: event.TroubleChanged}, event.Event{Kind: event.RequestChanged})
			x.pump.run()
			uitest.Overflow(t, x.w)
		}
	}
}

// TestResubscribed: after the connection to the core broke, everything is asked
// again, and what went is gone.
func TestResubscribed(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.c.Change(func(c *uitest.Client) { c.People = c.People[1:]; c.Convs = c.Convs[1:] })
	x.pump.subscribe()
	x.pump.run()
	if len(x.u.side.list.Rows()) != 7 || !x.u.current.IsZero() {
		t.Error("a contact that is gone is still there")
	}
}

func TestWindowRequested(t *testing.T) {
	x := open(t, setup{})
	x.c.Change(func(*uitest.Client) {}, event.Event{Kind: event.WindowRequested})
	x.pump.run() // must not fail; what a window manager does cannot be seen here
}
