package ui

import (
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/notify"
)

// alertPause is the least time between two notifications: a backlog of ten
// thousand messages raises one and then, at the end, one more that counts them.
const alertPause = 3 * time.Second

// alerts gathers what a notification is about.
type alerts struct {
	people  map[chat.PersonID]bool
	request bool
	waiting bool // the pause after a notification is running
	shown   bool
}

// clear forgets everything: the person is looking.
func (a *alerts) clear(n notify.Notifier) {
	a.people, a.request = nil, false
	if a.shown && n != nil {
		n.Clear()
	}
	a.shown = false
}

// alert tells the person of a new message.
func (u *UI) alert(v chat.Conversation) {
	if u.contacts[v.Contact].Blocked || !u.notifies() {
		return
	}
	if u.alerts.people == nil {
		u.alerts.people = map[chat.PersonID]bool{}
	}
	u.alerts.people[v.Contact] = true
	u.flushAlerts()
}

// alertRequest tells the person that somebody waits for an answer.
func (u *UI) alertRequest() {
	if u.notifies() {
		u.alerts.request = true
		u.flushAlerts()
	}
}

func (u *UI) notifies() bool { return u.notifier != nil && u.settings[core.SettingNotify] == "true" }

// flushAlerts shows one notification about everything gathered, unless the last
// one was a moment ago.
func (u *UI) flushAlerts() {
	a := &u.alerts
	if a.waiting || (len(a.people) == 0 && !a.request) {
		return
	}
	a.waiting = true
	u.notifier.Show(u.note())
	a.shown = true
	a.people, a.request = nil, false
	u.pump.Later(alertPause, func() {
		a.waiting = false
		u.flushAlerts()
	})
}

// note words the notification: without a name or a text unless that is switched
// on, and then only if it is about one person.
func (u *UI) note() notify.Note {
	a := &u.alerts
	n := notify.Note{Title: t("notify.title"), Plain: true}
	if len(a.people) == 0 {
		n.Body = t("notify.request")
		return n
	}
	total := 0
	for id := range a.people {
		total += u.convs[id].Unread
		n.Person = id
	}
	n.Body = count("notify.messages.count", max(1, total))
	if len(a.people) > 1 {
		n.Person = chat.PersonID{}
		return n
	}
	v := u.convs[n.Person]
	if u.settings[core.SettingNotifyContent] == "true" && v.Last != nil && !u.Locked() {
		n.Title, n.Plain = u.contacts[n.Person].Name, false
		if v.Unread == 1 && v.Last.Kind == chat.KindText {
			n.Body = gist(*v.Last)
		}
	}
	return n
}

// buildTray puts the icon into the tray.
func (u *UI) buildTray() {
	if u.cfg.Notifier != nil {
		u.notifier = u.cfg.Notifier(func(id chat.PersonID) {
			u.pump.Show(func() { u.openFrom(id) })
		})
		u.pump.atEnd(u.notifier.Close)
	}
	if u.cfg.Tray == nil {
		return
	}
	quit := fyne.NewMenuItem(t("tray.quit"), u.Quit)
	quit.IsQuit = true
	u.tray = u.cfg.Tray(fyne.NewMenu("Kuvert", fyne.NewMenuItem(t("tray.show"), u.Present), fyne.NewMenuItemSeparator(), quit))
}
