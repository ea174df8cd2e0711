package ui

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/core"
)

// sectionBackup is the settings' section about backups.
const sectionBackup = "backup"

// ShowBackup opens the settings where they are about backups.
func (u *UI) ShowBackup() {
	u.ShowSettings()
	if s, ok := u.host.screen.(revealer); ok {
		s.Reveal(sectionBackup)
	}
}

// askBackup asks how it stands: a day has gone by.
func (u *UI) askBackup() {
	u.pump.Ask(func(ctx context.Context) func() {
		st, err := u.cfg.Client.BackupStatus(ctx)
		if err != nil {
			return nil
		}
		return func() {
			u.backup = st
			u.refresh()
		}
	})
}

// lastBackup is when the last one was written, of its own or of the automatic one.
func lastBackup(st core.BackupStatus) time.Time {
	if st.Once.After(st.Last) {
		return st.Once
	}
	return st.Last
}

// daysSince is how many whole days have gone by.
func daysSince(t, now time.Time) int { return int(now.Sub(t) / (24 * time.Hour)) }

// prefBackupLater is the day on which the warning was put off.
const prefBackupLater = "backup.later"

func (u *UI) today() string { return u.now().Local().Format(time.DateOnly) }

// warnsOfBackup reports whether the banner is to warn.
func (u *UI) warnsOfBackup() bool {
	return u.backup.Overdue && !u.backup.Running && fyne.CurrentApp().Preferences().String(prefBackupLater) != u.today()
}

// dismissBackup puts the warning off until tomorrow.
func (u *UI) dismissBackup() {
	fyne.CurrentApp().Preferences().SetString(prefBackupLater, u.today())
	u.showBanner()
}

func (u *UI) backupWarning() string {
	if last := lastBackup(u.backup); !last.IsZero() {
		return count("main.backup.days", daysSince(last, u.now()))
	}
	return t("main.backup.none")
}

// footBackup is what the footer says of the backup: nothing while it is fresh.
func footBackup(st core.BackupStatus, now time.Time) (text, tip string) {
	switch last := lastBackup(st); {
	case !st.Overdue:
		return "", ""
	case last.IsZero():
		return t("main.foot.nobackup"), t("main.backup.none")
	default:
		n := daysSince(last, now)
		return count("main.foot.backup", n), count("main.backup.days", n)
	}
}

// moved is what covers the window of a profile that has moved.
type moved struct {
	root    *fyne.Container
	screen  MovedScreen // nil: it has not moved
	reading bool        // the person reads, the screen is put aside
}

func (m *moved) layer() fyne.CanvasObject {
	m.root = container.NewStack()
	m.root.Hide()
	return m.root
}

// showMoved covers the window when the profile has moved.
func (u *UI) showMoved() {
	if !u.backup.Moved || u.cfg.Screens.Moved == nil {
		return
	}
	if u.moved.screen != nil {
		u.moved.screen.SetStatus(u.backup)
		return
	}
	u.closeScreen()
	u.moved.screen = u.cfg.Screens.Moved(u.Env(), u.backup, u.readMoved)
	u.moved.root.Objects = []fyne.CanvasObject{u.moved.screen.Object()}
	u.coverMoved()
	u.conv.showHeader()
}

// coverMoved puts the screen over everything.
func (u *UI) coverMoved() {
	if u.moved.screen == nil {
		return
	}
	u.tips.Hide()
	u.frame.root.Hide()
	u.moved.root.Show()
	u.moved.reading = false
	u.cfg.Window.Canvas().Unfocus()
	if !u.Locked() {
		u.moved.screen.Focus()
	}
}

// readMoved shows the messages, which can only be read.
func (u *UI) readMoved() {
	u.moved.root.Hide()
	u.frame.root.Show()
	u.moved.reading = true
	u.refresh()
}
