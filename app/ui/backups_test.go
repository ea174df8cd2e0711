package ui

import (
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// backup lets the core say how it stands.
func (x *world) backup(st core.BackupStatus) {
	x.c.Change(func(c *uitest.Client) { c.Status = st }, event.Event{Kind: event.BackupChanged})
	x.pump.run()
}

// TestBackupWarning: the banner and the footer warn when it is time, and no sooner;
// the banner can be put off for the day, the footer stays.
func TestBackupWarning(t *testing.T) {
	x := open(t, setup{})
	if x.u.banner.Text() != "" {
		t.Fatalf("warns on the first day: %q", x.u.banner.Text())
	}
	x.backup(core.BackupStatus{Overdue: true})
	x.mustSay("Es gibt noch keine Sicherung Ihrer Nachrichten.")
	x.mustSay("Keine Sicherung")
	x.backup(core.BackupStatus{On: true, Last: x.u.now().Add(-9 * 24 * time.Hour), Overdue: true})
	x.mustSay("Seit 9 Tagen gibt es keine Sicherung.")
	x.mustSay("9 Tage")
	uitest.Overflow(t, x.w)
	x.u.banner.OnAction()
	if x.screen == nil {
		t.Error("the banner leads nowhere")
	}
	x.u.banner.OnDismiss()
	if x.u.banner.Text() != "" {
		t.Error("it cannot be put off")
	}
	x.mustSay("9 Tage")
	fyne.CurrentApp().Preferences().SetString(prefBackupLater, "2001-01-01")
	x.u.refresh()
	x.mustSay("Seit 9 Tagen gibt es keine Sicherung.")
	x.c.Change(func(c *uitest.Client) { c.Net.Trouble = core.TroubleDiskFull }, event.Event{Kind: event.NetworkChanged})
	x.pump.run()
	if x.says("Seit 9 Tagen gibt es keine Sicherung.") {
		t.Error("it covers what is more urgent")
	}
	x.c.Change(func(c *uitest.Client) { c.Net.Trouble = "" }, event.Event{Kind: event.NetworkChanged})
	x.backup(core.BackupStatus{On: true, Last: x.u.now()})
	if x.u.banner.Text() != "" || x.says("9 Tage") {
		t.Error("it still warns after a backup")
	}
}

// sealed stands for the screen of a profile that has moved.
type sealed struct {
	text   *parts.Text
	read   func()
	status core.BackupStatus
}

func (s *sealed) Object() fyne.CanvasObject          { return container.NewStack(s.text) }
func (s *sealed) Focus()                             {}
func (s *sealed) Changed([]event.Event)              {}
func (s *sealed) SetStatus(status core.BackupStatus) { s.status = status }

// TestMovedProfile: the screen of a profile that has moved covers everything; who
// reads can write nothing, and finds back.
func TestMovedProfile(t *testing.T) {
	x := open(t, setup{})
	var s *sealed
	x.u.cfg.Screens.Moved = func(_ parts.Env, st core.BackupStatus, read func()) MovedScreen {
		s = &sealed{text: parts.Body("umgezogen"), read: read, status: st}
		return s
	}
	x.talk(sabine)
	x.backup(core.BackupStatus{Moved: true, MovedTo: "a"})
	x.mustSay("umgezogen")
	if x.says(sabine) {
		t.Error("the conversations can be seen behind it")
	}
	s.read()
	if !x.says(sabine) || x.says("umgezogen") {
		t.Error("nothing can be read")
	}
	x.mustSay("Dieses Profil ist umgezogen. Hier können Sie nur lesen.")
	x.mustSay("Geschrieben wird auf dem anderen Computer.")
	if x.u.conv.write.Visible() {
		t.Error("something can be written")
	}
	x.backup(core.BackupStatus{Moved: true, MovedTo: "b"})
	if s.status.MovedTo != "b" || x.says("umgezogen") {
		t.Error("the screen comes back by itself, or does not hear of the new file")
	}
	x.u.banner.OnAction()
	x.mustSay("umgezogen")
	s.read()
	x.u.ShowAddContact()
	x.mustSay("umgezogen")
}
