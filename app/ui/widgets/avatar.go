package widgets

import (
	"image/color"
	"strings"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// Avatar is a person's initials on a colour that follows from their key, with a
// dot while they are online. It is a plain container and costs three draw calls.
type Avatar struct {
	*fyne.Container
	d      float32
	ground *canvas.Circle
	text   *canvas.Text
	dot    *canvas.Circle
	ring   fyne.ThemeColorName
}

// NewAvatar makes an empty avatar of a diameter. ring is the colour of what it
// stands on.
func NewAvatar(d float32, ring fyne.ThemeColorName) *Avatar {
	a := &Avatar{d: d, ground: canvas.NewCircle(color.Transparent), text: newText(d*0.36, true), dot: canvas.NewCircle(color.Transparent), ring: ring}
	a.text.Color = color.White
	a.dot.StrokeWidth = 2
	a.dot.Hide()
	a.Container = &fyne.Container{Layout: (*avatarLayout)(a), Objects: []fyne.CanvasObject{a.ground, a.text, a.dot}}
	return a
}

// ForContact makes an avatar of a contact.
func ForContact(c chat.Contact, d float32, ring fyne.ThemeColorName) *Avatar {
	a := NewAvatar(d, ring)
	a.Set(c.ID, c.Name, c.Online, ring)
	return a
}

// Set shows a person.
func (a *Avatar) Set(id chat.PersonID, name string, online bool, ring fyne.ThemeColorName) {
	a.ring = ring
	a.ground.FillColor = theme.AvatarColor(id)
	a.text.Text = Initials(name)
	a.dot.Hidden = !online
	a.dot.FillColor, a.dot.StrokeColor = theme.Color(theme.ColorOnline), theme.Color(ring)
	a.Layout.Layout(nil, a.Size())
	a.Refresh()
}

type avatarLayout Avatar

// MinSize implements fyne.Layout.
func (a *avatarLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSquareSize(a.d) }

// Layout implements fyne.Layout. The letters are centred by the height of
// capitals, which is less than the font's.
func (a *avatarLayout) Layout([]fyne.CanvasObject, fyne.Size) {
	a.ground.Resize(fyne.NewSquareSize(a.d))
	m := a.text.MinSize()
	a.text.Resize(m)
	a.text.Move(fyne.NewPos((a.d-m.Width)/2, (a.d-m.Height)/2-a.d*0.005))
	dot := a.d * 0.30
	a.dot.Resize(fyne.NewSquareSize(dot))
	a.dot.Move(fyne.NewPos(a.d-dot+0.5, a.d-dot+0.5))
}

// legal are forms of companies, which say nothing about who it is.
var legal = map[string]bool{
	"gmbh": true, "ag": true, "kg": true, "ohg": true, "gbr": true, "ug": true, "se": true, "eg": true, "ev": true,
	"kgaa": true, "co": true, "inc": true, "ltd": true, "llc": true, "plc": true, "corp": true, "sa": true, "sarl": true,
	"bv": true, "nv": true, "oy": true, "ab": true, "srl": true, "spa": true, "mbh": true, "haftungsbeschränkt": true,
}

// Initials are the first letters of a name's first and last word, without legal
// forms: "Elektro Böhm GmbH" is EB.
func Initials(name string) string {
	var words []string
	for _, w := range strings.Fields(name) {
		w = strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
		plain := strings.ReplaceAll(strings.ToLower(w), ".", "")
		if w != "" && (len(words) == 0 || !legal[plain]) {
			words = append(words, w)
		}
	}
	switch len(words) {
	case 0:
		return ""
	case 1:
		return initial(words[0])
	}
	return initial(words[0]) + initial(words[len(words)-1])
}

func initial(w string) string {
	r, _ := utf8.DecodeRuneInString(w)
	return string(unicode.ToUpper(r))
}
