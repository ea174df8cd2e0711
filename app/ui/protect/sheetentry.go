package protect

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/codes"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

const (
	// sheetChars is the length of a sheet's key without blanks, sheetPrefix how the
	// text of its QR code begins.
	sheetChars  = 36
	sheetPrefix = "KUVERT-NOTFALL:"
	// noChars are the letters that no key has; O, I and L are taken for 0 and 1.
	noChars = "U"
)

// pictures are the files that hold a photograph of the QR code.
var pictures = []string{".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}

// sheetEntry takes in the key of an emergency sheet, typed or from a picture.
type sheetEntry struct {
	env  parts.Env
	fits func(text string) bool
	// pick asks for a file.
	pick func(chosen func(path string))

	entry   *Entry
	state   *parts.Text
	picture *parts.Button
	say     *parts.Say
	busy    bool
	changed func()
}

func newSheetEntry(env parts.Env, fits func(string) bool, submitted, changed func()) *sheetEntry {
	s := &sheetEntry{env: env, fits: fits, state: parts.Muted(""), say: parts.NewSay(), entry: newEntry(false), changed: changed}
	s.pick = func(chosen func(string)) { files.Pick(env, pictures, chosen) }
	s.entry.MultiLine, s.entry.lines, s.entry.Wrapping = true, true, fyne.TextWrapWord
	s.entry.SetMinRowsVisible(2)
	s.entry.TextStyle.Monospace = true
	s.entry.SetPlaceHolder(parts.T("protect.sheet.hint"))
	s.entry.OnChanged = func(string) { s.feedback() }
	s.entry.OnSubmitted = func(string) { submitted() }
	s.picture = parts.NewButtonWithIcon(parts.T("protect.sheet.picture"), icons.New(icons.Picture), func() { s.pick(s.takeFile) })
	s.feedback()
	return s
}

func (s *sheetEntry) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{s.entry, s.state, s.say, parts.Row(0, s.picture)}
}

// feedback says how far the key is, and what is wrong with it.
func (s *sheetEntry) feedback() {
	s.say.Clear()
	text, good := typed(s.entry.Text, s.fits)
	s.state.SetText(text)
	s.state.SetColor(theme.ColorNamePlaceHolder)
	if good {
		s.state.SetColor(theme.ColorNameSuccess)
	}
	s.changed()
}

// typed says how far a key is.
func typed(text string, fits func(string) bool) (says string, complete bool) {
	text = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), sheetPrefix)
	n := 0
	for _, r := range text {
		switch {
		case unicode.IsSpace(r) || r == '-' || r == '–':
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) || strings.ContainsRune(noChars, r):
			return parts.T("protect.sheet.foreign", parts.With("Char", string(r))), false
		default:
			n++
		}
	}
	switch {
	case n == 0:
		return parts.T("protect.sheet.empty"), false
	case n < sheetChars:
		return parts.N("protect.sheet.more", sheetChars-n), false
	case n > sheetChars:
		return parts.N("protect.sheet.less", n-sheetChars), false
	case !fits(text):
		return parts.T("protect.sheet.wrong.char"), false
	}
	return parts.T("protect.sheet.complete"), true
}

// value is the key, "" while it is not complete.
func (s *sheetEntry) value() string {
	if _, ok := typed(s.entry.Text, s.fits); ok {
		return s.entry.Text
	}
	return ""
}

// takeFile reads the key from a picture of the QR code.
func (s *sheetEntry) takeFile(path string) {
	if s.busy {
		return
	}
	s.busy = true
	s.picture.Disable()
	s.say.Busy(parts.T("screens.add.reading"))
	s.changed()
	s.env.Work(func(ctx context.Context) func() {
		text, err := readSheet(ctx, path)
		return func() {
			s.busy = false
			s.picture.Enable()
			s.say.Clear()
			if err == nil {
				s.entry.SetText(grouped(text))
			} else {
				s.say.Set(parts.ToneError, codes.Say(err, codes.Sentence{Err: errNoSheet, Key: "protect.sheet.other"}))
			}
			s.changed()
		}
	})
}

// errNoSheet: a picture has a QR code that is of something else.
var errNoSheet = errors.New("QR code of something else")

func readSheet(ctx context.Context, path string) (string, error) {
	data, err := qr.ReadFile(path, qr.MaxFile)
	if err != nil {
		return "", err
	}
	text, err := qr.Decode(ctx, data)
	var foreign *qr.ForeignError
	if errors.As(err, &foreign) {
		text, err = foreign.Text, nil
	}
	if err != nil {
		return "", err
	}
	key, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(text)), sheetPrefix)
	if !ok {
		return "", errNoSheet
	}
	return key, nil
}

// grouped writes a key as it is printed.
func grouped(key string) string {
	var b strings.Builder
	for i, r := range key {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
