package firststart

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/backup"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

// restore is what is known of a backup that a profile is made of.
type restore struct {
	on       bool
	path     string
	field    *protect.Field // of its passphrase
	secret   string
	seen     core.BackupSeen
	progress *backup.Progress
	cancel   context.CancelFunc // of the restore that runs
	out      core.Restored
}

func (s *Screen) now() time.Time {
	if s.cfg.Now == nil {
		return time.Now()
	}
	return s.cfg.Now()
}

func (s *Screen) haveBackup() {
	s.restore.on = true
	s.goTo(stepBackup)
}

// restoring builds the steps of who has a backup.
func (s *Screen) restoring() (body []fyne.CanvasObject, focus fyne.Focusable) {
	switch s.step {
	case stepBackup:
		return s.askBackup()
	case stepRestoring:
		return s.showRestore()
	}
	return s.showRestored(), nil
}

// askBackup asks for the backup and its passphrase.
func (s *Screen) askBackup() ([]fyne.CanvasObject, fyne.Focusable) {
	r := &s.restore
	s.primary(parts.T("screens.next"), s.look)
	r.field = protect.NewField(s.look)
	r.field.Entry.SetText(r.secret)
	r.field.Entry.OnChanged = func(t string) {
		r.secret = t
		s.say.Clear()
	}
	name := parts.T("screens.first.backup.none")
	if r.path != "" {
		name = filepath.Base(r.path)
	}
	pick := parts.NewButtonWithIcon(parts.T("screens.first.backup.pick"), icons.New(icons.Disk), s.pickBackup)
	body := []fyne.CanvasObject{
		parts.Title(parts.T("screens.first.backup.title")),
		parts.Body(parts.T("screens.first.backup.text")),
		parts.Beside(parts.Gap, nil, parts.Body(name), pick),
		parts.Label(parts.T("backup.passphrase")),
		r.field.Object(),
	}
	if r.path == "" {
		return body, pick
	}
	return body, r.field.Entry
}

func (s *Screen) pickBackup() {
	chosen := func(path string) {
		s.restore.path = path
		s.show()
	}
	if s.cfg.PickBackup != nil {
		s.cfg.PickBackup(chosen)
		return
	}
	env := parts.Env{Window: s.cfg.Window, Work: s.cfg.Work}
	files.PickEither(env, parts.T("backup.pick.restore"), []string{".age"}, chosen)
}

func (s *Screen) source() core.RestoreSource {
	return core.RestoreSource{Path: s.restore.path, Passphrase: s.restore.secret}
}

// look opens the backup before anything else is asked.
func (s *Screen) look() {
	switch {
	case s.busy:
		return
	case s.restore.path == "":
		s.say.Set(parts.ToneError, parts.T("screens.first.backup.missing"))
		return
	case s.restore.secret == "":
		s.say.Set(parts.ToneError, parts.T("screens.first.backup.empty"))
		s.cfg.Window.Canvas().Focus(s.restore.field.Entry)
		return
	}
	s.busy = true
	s.next.Disable()
	s.back.Disable()
	s.say.Busy(parts.T("screens.first.backup.looking"))
	src := s.source()
	s.cfg.Work(func(ctx context.Context) func() {
		seen, err := s.cfg.Look(ctx, src)
		return func() {
			s.busy = false
			if err != nil {
				s.failedRestore(err)
				return
			}
			s.restore.seen = seen
			s.goTo(stepProtect)
		}
	})
}

// restoreText is what the step about protection says of a good backup.
func (s *Screen) restoreText() string {
	return parts.T("screens.first.backup.of", parts.With("When", parts.Moment(s.restore.seen.MadeAt, s.now())))
}

// runRestore makes the profile of the backup.
func (s *Screen) runRestore() {
	if s.busy {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.busy, s.restore.cancel = true, cancel
	s.goTo(stepRestoring)
	src, answers, progress := s.source(), s.answers, s.restore.progress
	src.Progress = func(percent int) { s.cfg.Show(func() { progress.Set(percent) }) }
	s.cfg.Work(func(window context.Context) func() {
		defer cancel()
		stop := context.AfterFunc(window, cancel)
		defer stop()
		out, err := s.cfg.Restore(ctx, src, answers)
		return func() {
			s.busy = false
			s.restored(out, err)
		}
	})
}

func (s *Screen) restored(out core.Restored, err error) {
	switch {
	case err == nil:
		s.restore.out, s.answers.Name = out, out.Name
		s.goTo(stepRestored)
	case errors.Is(err, chat.ErrProfileExists):
		s.cfg.Done(s.answers, false)
	case errors.Is(err, chat.ErrNoKeyring), errors.Is(err, chat.ErrPassphraseNeeded):
		s.keyring.told(err)
		s.goTo(stepProtect)
	default:
		s.failedRestore(err)
	}
}

// failedRestore leads back to the question for the backup, and says why.
func (s *Screen) failedRestore(err error) {
	s.goTo(stepBackup)
	says := backup.Sentence(err)
	s.restore.field.Entry.TypedShortcut(&fyne.ShortcutSelectAll{})
	switch {
	case errors.Is(err, context.Canceled):
		s.say.Set(parts.ToneInfo, parts.T("screens.first.restore.canceled"))
		return
	case errors.Is(err, chat.ErrDiskFull), errors.Is(err, chat.ErrProfileBusy):
		says = failure(err) // of this computer, not of where the backup lies
	case errors.Is(err, chat.ErrReadOnly):
		says = parts.T("screens.code.unreadable")
	}
	s.say.Set(parts.ToneError, says)
}

// showRestore shows how far it is.
func (s *Screen) showRestore() ([]fyne.CanvasObject, fyne.Focusable) {
	s.primary("", nil)
	s.next.Hide()
	s.back.Hide()
	s.restore.progress = backup.NewProgress(s.restore.cancel)
	s.restore.progress.Say(parts.T("screens.first.restore.running"))
	return []fyne.CanvasObject{
		parts.Title(parts.T("screens.first.restore.title")),
		parts.Body(parts.T("screens.first.restore.text")),
		s.restore.progress.Object(),
	}, s.restore.progress.StopButton()
}

// showRestored says what came.
func (s *Screen) showRestored() []fyne.CanvasObject {
	r := s.restore.out
	s.primary(parts.T("screens.next"), func() { s.goTo(stepSheet) })
	s.back.Hide()
	came := []fyne.CanvasObject{
		counted("screens.first.restored.contacts", r.Contacts), counted("screens.first.restored.messages", r.Messages),
	}
	if r.Files > 0 {
		came = append(came, counted("screens.first.restored.files", r.Files))
	}
	old := parts.NewSay()
	old.Set(parts.ToneWarning, parts.T("screens.first.restored.old"))
	return []fyne.CanvasObject{
		parts.Title(parts.T("screens.first.restored.title", parts.With("Name", r.Name))),
		parts.Body(parts.T("screens.first.restored.when", parts.With("When", parts.Moment(r.MadeAt, s.now())))),
		parts.Column(6, came...),
		parts.Muted(parts.T("screens.first.restored.later")),
		old,
	}
}

// counted is a line about how many of something came.
func counted(key string, n int64) fyne.CanvasObject {
	return parts.Beside(parts.Gap, parts.Mark(icons.Colored(icons.Check, theme.ColorNameSuccess)), parts.Body(parts.N(key, int(n))), nil)
}
