package backup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

const maxWidth = 560

// suffix is how backups end.
const suffix = ".age"

// Config is what the pages are given.
type Config struct {
	parts.Env
	Desk *Desk
	// Back leaves a page.
	Back func()
	// Quit ends the program.
	Quit func()
	// Pick asks for a folder or, with the name to suggest for one, for a file to save;
	// nil is the picker.
	Pick func(name string, chosen func(path string))
}

// form is a page that asks where to write, what, and for a passphrase. What it is for
// is the pages' own.
type form struct {
	cfg   Config
	title string
	path  string // of the folder, or of the file
	name  string // to suggest for the file; "" where a folder is asked for
	busy  bool

	root   *container.Scroll
	body   *fyne.Container
	where  *parts.Text
	pick   *parts.Button
	near   *parts.Say // the folder is on this computer's own disk
	what   *parts.ChoiceGroup
	other  *parts.Switch // another passphrase; nil where there is none yet
	pair   *protect.Pair
	fields fyne.CanvasObject // of pair
	say    *parts.Say
	no     *parts.Button
	yes    *parts.Button
	submit func()
}

// newForm makes the parts of a page; the page arranges them.
func newForm(cfg Config, title, yes string, submit func()) *form {
	f := &form{cfg: cfg, title: title, submit: submit, where: parts.Body(""), near: parts.NewSay(), say: parts.NewSay()}
	f.pick = parts.NewButtonWithIcon(parts.T("backup.folder.pick"), icons.New(icons.Disk), f.pickPath)
	f.pair = protect.NewPair(submit)
	f.pair.Changed = f.clear
	f.pair.Escape(f.leave)
	f.fields = f.pair.Object()
	f.no = parts.NewButton(parts.T("screens.cancel"), f.leave)
	f.yes = parts.Primary(parts.T(yes), submit)
	f.what = parts.NewChoiceGroup(0,
		[2]string{parts.T("backup.what.without"), parts.T("backup.what.without.text")},
		[2]string{parts.T("backup.what.with"), parts.T("backup.what.with.text")})
	f.showPath()
	return f
}

// arrange makes the page of its parts.
func (f *form) arrange(objects ...fyne.CanvasObject) {
	f.body = parts.Column(12, objects...)
	f.root = container.NewVScroll(parts.Pad(parts.AtMost(maxWidth, f.body), parts.Edge, parts.Edge, parts.Edge, parts.Edge))
	f.ask()
}

// Title names the page.
func (f *form) Title() string { return parts.T(f.title) }

// Object is what to show.
func (f *form) Object() fyne.CanvasObject { return f.root }

// Changed is called with what happened in the core.
func (f *form) Changed([]event.Event) {}

// Focus puts the keyboard where the page begins.
func (f *form) Focus() { f.cfg.Window.Canvas().Focus(f.pick) }

// place asks where to.
func (f *form) place() fyne.CanvasObject {
	return parts.Column(6, parts.Label(parts.T("backup.folder")), parts.Beside(parts.Gap, nil, f.where, f.pick), f.near)
}

// content asks what.
func (f *form) content() fyne.CanvasObject {
	return parts.Column(6, parts.Label(parts.T("backup.what")), parts.Column(parts.Gap, f.what.Objects()...))
}

// secret asks for the passphrase, and says what it is worth.
func (f *form) secret() fyne.CanvasObject {
	warn := parts.NewSay()
	warn.Set(parts.ToneWarning, parts.T("backup.passphrase.text"))
	all := []fyne.CanvasObject{parts.Label(parts.T("backup.passphrase"))}
	if f.other != nil {
		all = append(all, f.other)
	}
	return parts.Column(parts.Gap, append(all, f.fields, warn)...)
}

// ask asks how much there is to be written.
func (f *form) ask() {
	f.cfg.Work(func(ctx context.Context) func() {
		size, err := f.cfg.Client.BackupSize(ctx)
		if err != nil {
			return nil // the choice can be made without
		}
		return func() { f.showSizes(size) }
	})
}

// showSizes says at each choice how large it would be.
func (f *form) showSizes(s core.BackupSize) {
	f.what.SetText(0, parts.T("backup.what.size", parts.With("Text", parts.T("backup.what.without.text"), "Size", parts.Bytes(sizeWithout(s)))))
	f.what.SetText(1, parts.T("backup.what.size", parts.With("Text", parts.T("backup.what.with.text"), "Size", parts.Bytes(sizeWith(s)))))
	f.relayout()
}

func (f *form) pickPath() {
	switch {
	case f.cfg.Pick != nil:
		f.cfg.Pick(f.name, f.setPath)
	case f.name != "":
		files.SaveAs(f.cfg.Env, f.name, f.setPath)
	default:
		files.PickFolder(f.cfg.Env, parts.T("backup.pick.name"), f.setPath)
	}
}

// setPath takes over where to write, and says if that is on the computer's own disk.
func (f *form) setPath(path string) {
	dir := path
	if f.name != "" {
		path, dir = withSuffix(path), filepath.Dir(path)
	}
	f.path = path
	f.clear()
	f.showPath()
	f.cfg.Work(func(context.Context) func() {
		home, err := os.UserHomeDir()
		near := err == nil && files.SameDrive(home, dir)
		return func() {
			if f.path != path {
				return
			}
			f.near.Clear()
			if near {
				f.near.Set(parts.ToneInfo, parts.T("backup.folder.near"))
			}
			f.relayout()
		}
	})
}

// withSuffix lets a file be known as a backup.
func withSuffix(path string) string {
	if strings.EqualFold(filepath.Ext(path), suffix) {
		return path
	}
	return path + suffix
}

func (f *form) showPath() {
	text := f.path
	if text == "" {
		text = parts.T("backup.folder.none")
	}
	f.where.SetText(text)
	f.relayout()
}

// answers are what was given, or what is missing.
func (f *form) answers() (passphrase, wrong string) {
	if f.path == "" {
		return "", parts.T("backup.folder.missing")
	}
	if f.other != nil && !f.other.On() {
		return "", ""
	}
	return f.pair.Value()
}

func (f *form) wrong(text string) {
	f.say.Set(parts.ToneError, text)
	f.relayout()
	f.root.ScrollToBottom()
}

func (f *form) clear() {
	if !f.busy && f.say.Text() != "" {
		f.say.Clear()
		f.relayout()
	}
}

func (f *form) leave() {
	if !f.busy {
		f.cfg.Back()
	}
}

func (f *form) hold(on bool) {
	f.busy = on
	parts.Enable(!on, f.no, f.yes, f.pick)
}

func (f *form) relayout() {
	if f.root != nil {
		f.root.Content.Refresh()
		f.root.Refresh()
	}
}

// dated is a file's name of today.
func dated(key string, now time.Time) string {
	return parts.T(key) + "-" + now.Local().Format(time.DateOnly) + suffix
}
