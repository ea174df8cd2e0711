package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/run"
	"github.com/kuvert-im/kuvert/app/ui"
	"github.com/kuvert-im/kuvert/app/ui/addcontact"
	"github.com/kuvert-im/kuvert/app/ui/backup"
	"github.com/kuvert-im/kuvert/app/ui/contactdetails"
	"github.com/kuvert-im/kuvert/app/ui/contacted"
	"github.com/kuvert-im/kuvert/app/ui/doctor"
	"github.com/kuvert-im/kuvert/app/ui/failure"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/notify"
	"github.com/kuvert-im/kuvert/app/ui/pairing"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
	"github.com/kuvert-im/kuvert/app/ui/rights"
	"github.com/kuvert-im/kuvert/app/ui/settings"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/assets/licences"
	"github.com/kuvert-im/kuvert/assets/translations"
)

// sitting is a profile at work behind the window, from its opening to its end.
type sitting struct {
	p       *program
	session *run.Session
	pump    *ui.Pump
	ui      *ui.UI
	add     *addcontact.Screen // kept: it holds the code that is being shown
	desk    *backup.Desk       // kept: it has the backup that is being written

	cancel context.CancelFunc // ends the services and the pump
	wg     sync.WaitGroup
	err    error // of the services; read after wg
}

// sit starts the services of a profile that was opened here, or watches the
// process that has it, and shows the main window.
func (p *program) sit(f found) *sitting {
	ctx, cancel := context.WithCancel(p.ctx)
	s := &sitting{p: p, session: f.session, cancel: cancel, pump: ui.NewPump(ctx)}
	s.wg.Go(func() { s.serve(ctx) })
	var incoming *pairing.Incoming
	s.ui = ui.New(ui.Config{
		Client: f.session, Window: p.window, Pump: s.pump, Log: p.log, Quit: p.app.Quit,
		Screens: ui.Screens{
			AddContact: s.addContact, Contact: s.contact, Settings: s.settings, Doctor: s.doctor, Contacted: s.contacted,
			Rights: s.rights, Moved: s.moved,
		},
		Notifier: s.notifier,
		Lock: ui.Lock{
			Asks: s.guard().Asks, Screen: s.lockScreen,
			Opened: func() { incoming.Changed([]event.Event{{Kind: event.PairingChanged}}) },
		},
		Tray: func(menu *fyne.Menu) notify.Tray {
			return notify.NewTray(p.app, icons.App(), icons.AppUnread(), menu)
		},
	})
	s.ui.Start()
	incoming = pairing.NewIncoming(s.ui.Env())
	s.wg.Go(func() {
		if err := incoming.Watch(ctx, s.showUnlessLocked); ctx.Err() == nil {
			p.log.Warn("events about comparisons broke off", "error", err)
		}
	})
	return s
}

// serve runs until the end and tells the program if that came unasked.
func (s *sitting) serve(ctx context.Context) {
	if s.session.Instance != nil {
		s.err = s.session.Instance.Run(ctx, nil)
	} else {
		select {
		case <-ctx.Done():
		case <-s.session.Done():
			s.err = failure.ErrEnded
		}
	}
	if ctx.Err() == nil {
		err := s.err
		s.p.pump.Show(func() { s.p.lost(s, err) })
	}
}

// pumpPatience is how long the end waits for what the pump still carries: that may
// itself wait for a UI thread that no longer runs.
const pumpPatience = 2 * time.Second

// end stops everything and waits: for the services, which bound that themselves,
// then for a while for the pump. Not for the UI thread while the window lives.
func (s *sitting) end() error {
	s.cancel()
	s.wg.Wait()
	within(pumpPatience, s.pump.Wait)
	err := s.err
	if s.session.Instance == nil {
		err = s.session.Close()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) { // as it should be
		return nil
	}
	return err
}

// within waits for wait, but not longer than d.
func within(d time.Duration, wait func()) {
	done := make(chan struct{})
	go func() {
		wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(d):
	}
}

// notifier shows notifications by the system's means. Without content they say
// that there is something new, and no more.
func (s *sitting) notifier(open func(chat.PersonID)) notify.Notifier {
	return notify.New(notify.Config{
		App: s.p.app, Title: parts.T("notify.title"), Body: parts.T("notify.message"), OpenLabel: parts.T("notify.open"),
		Icon: appID, Open: open, Log: s.p.log,
	})
}

// showUnlessLocked drops what happens behind the lock: Opened asks anew.
func (s *sitting) showUnlessLocked(f func()) {
	s.pump.Show(func() {
		if !s.ui.Locked() {
			f()
		}
	})
}

func (s *sitting) guard() guard { return guard{dir: s.p.opts.Dir, owner: s.owner} }

// owner is what a sheet says of the profile.
func (s *sitting) owner(ctx context.Context) (name, language string) {
	me, err := s.session.Whoami(ctx)
	values, serr := s.session.Settings(ctx)
	if err = errors.Join(err, serr); err != nil {
		s.p.log.Error("profile for the sheet", "error", err)
	}
	return me.Name, translations.Choose(values[core.SettingLanguage], lang.SystemLocale())
}

// lockScreen asks for the passphrase while the profile goes on working.
func (s *sitting) lockScreen(open func()) ui.LockScreen {
	g := s.guard()
	ways, err := run.Ways(g.dir)
	if err != nil {
		s.p.log.Error("lock", "error", err)
	}
	return protect.NewUnlocking(protect.UnlockConfig{
		Window: s.p.window, Work: s.pump.Work, Icon: icons.App(), State: state(ways), Running: true,
		Unlock: g.Verify, Open: open, Sheet: g, Quit: s.ui.Quit,
	})
}

func (s *sitting) addContact(e parts.Env) ui.Screen {
	if s.add == nil {
		s.add = addcontact.New(addcontact.Config{
			Env: e, Open: func(id chat.PersonID) { s.ui.ShowConversation(id) },
			OpenMailbox: func(link string) { s.ui.ShowMailbox(link) },
		})
	}
	return s.add
}

func (s *sitting) contact(e parts.Env, id chat.PersonID) ui.Screen {
	return contactdetails.New(contactdetails.Config{
		Env: e, Contact: id, Rights: rights.Config{Protection: s.protection},
		Cleared: func() { s.ui.Cleared(id) }, Erased: s.ui.Back,
	})
}

func (s *sitting) settings(e parts.Env) ui.Screen {
	return settings.New(settings.Config{
		Env: e, Version: version(), Licences: licences.Text, Quit: s.ui.Quit,
		Desk: s.backups(e), OpenPage: func(p backup.Page) { s.ui.ShowOver(p) }, Back: s.ui.Back,
		Guard: s.guard(), Lock: s.ui.Lock, OpenPDF: s.p.showPDF,
		ThemeChanged: func(choice string) { s.p.app.Settings().SetTheme(theme.New(choice)) },
		Doctor:       s.ui.ShowDoctor, Contacted: s.ui.ShowContacted, Rights: s.ui.ShowRights, AddContact: s.ui.ShowInvitation,
	})
}

// backups is the desk of the sitting.
func (s *sitting) backups(e parts.Env) *backup.Desk {
	if s.desk == nil {
		s.desk = backup.NewDesk(e)
	}
	return s.desk
}

// moved is the screen of a profile that has moved to another computer.
func (s *sitting) moved(e parts.Env, status core.BackupStatus, read func()) ui.MovedScreen {
	return backup.NewMoved(backup.Config{Env: e, Desk: s.backups(e), Quit: s.ui.Quit}, status, read)
}

func (s *sitting) doctor(e parts.Env) ui.Screen {
	return doctor.New(doctor.Config{Env: e, Version: version()})
}

func (s *sitting) contacted(e parts.Env) ui.Screen { return contacted.New(e) }

func (s *sitting) rights(e parts.Env) ui.Screen {
	return rights.New(rights.Config{Env: e, Protection: s.protection})
}

// protection is what opens the profile, for the documents.
func (s *sitting) protection(context.Context) (protect.State, error) {
	l, err := run.Ways(s.p.opts.Dir)
	return state(l), err
}
