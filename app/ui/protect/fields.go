package protect

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Entry is a field that lets Escape and foreign shortcuts through.
type Entry struct {
	widget.Entry
	onEscape func()
	// lines: the field is higher than a line, but Enter submits and Tab leaves.
	lines bool
}

func newEntry(secret bool) *Entry {
	e := &Entry{}
	e.Password = secret
	if secret {
		e.ActionItem = parts.Space(0) // the field's own eye is for the mouse alone
	}
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey implements fyne.Focusable.
func (e *Entry) TypedKey(k *fyne.KeyEvent) {
	switch {
	case k.Name == fyne.KeyEscape && e.onEscape != nil:
		e.onEscape()
	case e.lines && (k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter):
		e.OnSubmitted(e.Text)
	default:
		e.Entry.TypedKey(k)
	}
}

// AcceptsTab implements fyne.Tabbable.
func (e *Entry) AcceptsTab() bool { return false }

// TypedShortcut implements fyne.Shortcutable. Nobody copies a hidden passphrase.
func (e *Entry) TypedShortcut(s fyne.Shortcut) {
	if _, ok := s.(*desktop.CustomShortcut); ok {
		if c := fyne.CurrentApp().Driver().CanvasForObject(e); c != nil {
			if to, ok := c.(fyne.Shortcutable); ok {
				to.TypedShortcut(s)
			}
		}
		return
	}
	e.Entry.TypedShortcut(s)
}

// Field asks for a passphrase that there is, with a button that shows it.
type Field struct {
	Entry *Entry
	show  *parts.Button
}

// NewField makes one; submitted is called for Enter.
func NewField(submitted func()) *Field {
	f := &Field{Entry: newEntry(true)}
	f.Entry.SetPlaceHolder(parts.T("protect.passphrase"))
	f.Entry.OnSubmitted = func(string) { submitted() }
	f.show = showing(f.Entry)
	return f
}

// Object is what to show.
func (f *Field) Object() fyne.CanvasObject { return parts.Beside(parts.Gap, nil, f.Entry, f.show) }

// Escape sets what the key does in the field.
func (f *Field) Escape(do func()) { f.Entry.onEscape = do }

// showing is a button that shows what is typed into the fields, and hides it again.
func showing(fields ...*Entry) *parts.Button {
	b := parts.NewButton(parts.T("protect.show"), nil)
	b.OnTapped = func() {
		hide := !fields[0].Password
		for _, e := range fields {
			e.Password = hide
			e.Refresh()
		}
		b.SetText(parts.T(map[bool]string{true: "protect.show", false: "protect.hide"}[hide]))
	}
	return b
}

// Pair asks for a new passphrase, twice, and says how good it is.
type Pair struct {
	first, again *Entry
	show         *parts.Button
	hint         *parts.Text
	// Changed is called when something is typed; nil for nobody.
	Changed func()
}

// NewPair makes one; submitted is called for Enter in the second field.
func NewPair(submitted func()) *Pair {
	p := &Pair{first: newEntry(true), again: newEntry(true), hint: parts.Muted("")}
	p.first.SetPlaceHolder(parts.T("protect.new"))
	p.again.SetPlaceHolder(parts.T("protect.again"))
	p.first.OnChanged = func(string) { p.rate(); p.changed() }
	p.again.OnChanged = func(string) { p.changed() }
	p.first.OnSubmitted = func(string) {
		if c := fyne.CurrentApp().Driver().CanvasForObject(p.again); c != nil {
			c.Focus(p.again)
		}
	}
	p.again.OnSubmitted = func(string) { submitted() }
	p.show = showing(p.first, p.again)
	p.rate()
	return p
}

// Object is what to show.
func (p *Pair) Object() fyne.CanvasObject {
	return parts.Column(parts.Gap, parts.Beside(parts.Gap, nil, p.first, p.show), p.hint, p.again)
}

// First is where the keyboard belongs.
func (p *Pair) First() fyne.Focusable { return p.first }

// Escape sets what the key does in the fields.
func (p *Pair) Escape(do func()) { p.first.onEscape, p.again.onEscape = do, do }

// Set fills both fields.
func (p *Pair) Set(passphrase string) {
	p.first.SetText(passphrase)
	p.again.SetText(passphrase)
}

// Clear forgets what was typed.
func (p *Pair) Clear() { p.Set("") }

// Value is the passphrase, or what is wrong with it.
func (p *Pair) Value() (passphrase, wrong string) {
	switch measure(p.first.Text) {
	case empty:
		return "", parts.T("protect.empty")
	case short:
		return "", parts.T("protect.hint.short", parts.With("N", MinLength))
	case long:
		return "", parts.T("protect.hint.long")
	default:
	}
	switch p.again.Text {
	case p.first.Text:
		return p.first.Text, ""
	case "":
		return "", parts.T("protect.again.empty")
	}
	return "", parts.T("protect.again.differs")
}

func (p *Pair) changed() {
	if p.Changed != nil {
		p.Changed()
	}
}

var hints = map[strength]struct {
	key   string
	color fyne.ThemeColorName
}{
	empty:  {"protect.hint", theme.ColorNamePlaceHolder},
	short:  {"protect.hint.short", theme.ColorNamePlaceHolder},
	weak:   {"protect.hint.weak", theme.ColorNameWarning},
	fair:   {"protect.hint.fair", theme.ColorNameForeground},
	strong: {"protect.hint.strong", theme.ColorNameSuccess},
	long:   {"protect.hint.long", theme.ColorNameWarning},
}

func (p *Pair) rate() {
	h := hints[measure(p.first.Text)]
	p.hint.SetText(parts.T(h.key, parts.With("N", MinLength)))
	p.hint.SetColor(h.color)
}
