package parts

import (
	"image/color"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Modal is a card over the window. Escape closes it by OnClose.
type Modal struct {
	popup  *widget.PopUp
	window fyne.Window
	holder *fyne.Container
	width  float32
	// visible: the popup's own flag is set before it is ever shown.
	visible bool
	before  func(*fyne.KeyEvent)
	// OnClose is called when Escape is pressed; nil ignores the key.
	OnClose func()
}

// ModalWidth is a modal's usual width in dp.
const ModalWidth = 400

// NewModal makes a hidden modal of a width.
func NewModal(w fyne.Window, width float32) *Modal {
	m := &Modal{window: w, holder: container.NewStack(), width: width}
	m.popup = widget.NewModalPopUp(m.holder, w.Canvas())
	return m
}

// Show replaces what the modal shows, and shows it.
func (m *Modal) Show(o fyne.CanvasObject) {
	room := m.window.Canvas().Size()
	w := min(m.width, max(0, room.Width-32))
	wide := canvas.NewRectangle(color.Transparent)
	wide.SetMinSize(fyne.NewSize(w-48, 0))
	sheet := container.NewStack(Ground(theme.ColorNameOverlayBackground, 14, theme.ColorNameSeparator), Pad(container.NewStack(wide, o), 24, 24, 20, 24))
	m.holder.Objects = []fyne.CanvasObject{sheet}
	sheet.Resize(fyne.NewSize(w, sheet.MinSize().Height)) // wrapped text learns its width
	m.popup.Resize(fyne.NewSize(w, sheet.MinSize().Height))
	if !m.visible {
		m.visible = true
		m.before = m.window.Canvas().OnTypedKey()
		m.window.Canvas().SetOnTypedKey(m.Key)
	}
	m.popup.Show()
	m.popup.Resize(fyne.NewSize(w, sheet.MinSize().Height))
}

// Fit lets o scroll if the window has less room for it than it needs; rest is the
// height in dp of what stands above and below it.
func (m *Modal) Fit(o fyne.CanvasObject, rest float32) fyne.CanvasObject {
	room := m.window.Canvas().Size()
	width := min(m.width, max(0, room.Width-32)) - 48
	if high := heightAt(o, width); high <= room.Height-rest-48 {
		return o
	}
	scroll := container.NewVScroll(Pad(o, 0, 14, 0, 0))
	scroll.SetMinSize(fyne.NewSize(0, max(60, room.Height-rest-48)))
	return scroll
}

// Key does what a key does in the modal when nothing in it wants the key.
func (m *Modal) Key(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape && m.OnClose != nil {
		m.OnClose()
	}
}

// Visible reports whether it is shown.
func (m *Modal) Visible() bool { return m.visible }

// Hide takes it away.
func (m *Modal) Hide() {
	if m.visible {
		m.visible = false
		m.popup.Hide()
		m.window.Canvas().SetOnTypedKey(m.before)
	}
}

// Focus puts the keyboard on something in the modal.
func (m *Modal) Focus(f fyne.Focusable) { m.window.Canvas().Focus(f) }

// Ask shows a question with two answers: the first leads back, the second does it.
func Ask(w fyne.Window, title, text, back, do string, danger bool, yes func()) *Modal {
	m := NewModal(w, ModalWidth)
	m.OnClose = m.Hide
	no := m.Button(back, m.Hide)
	ok := m.Primary(do, func() {
		m.Hide()
		yes()
	})
	if danger {
		ok.Importance = widget.DangerImportance
	}
	m.Show(Column(12, Title(title), Body(text), Space(4), Answers(no, ok)))
	m.Focus(no)
	return m
}

// Button makes a button that belongs in the modal.
func (m *Modal) Button(text string, f func()) *Button { return NewButton(text, f) }

// Primary makes the modal's button that leads on.
func (m *Modal) Primary(text string, f func()) *Button {
	b := m.Button(text, f)
	b.Importance = widget.HighImportance
	return b
}

// Answers places buttons at the right, the last one leading on. In a narrow place
// they stand one below the other, in full width.
func Answers(buttons ...fyne.CanvasObject) fyne.CanvasObject {
	return container.New(&answers{}, buttons...)
}

type answers struct{ width float32 }

func visible(objects []fyne.CanvasObject) []fyne.CanvasObject {
	return slices.DeleteFunc(slices.Clone(objects), func(o fyne.CanvasObject) bool { return !o.Visible() })
}

// row is the width of all buttons side by side.
func (a *answers) row(objects []fyne.CanvasObject) float32 {
	sum := -float32(Gap)
	for _, o := range objects {
		sum += o.MinSize().Width + Gap
	}
	return sum
}

// Layout implements fyne.Layout.
func (a *answers) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	objects = visible(objects)
	a.width = s.Width
	if a.row(objects) <= s.Width {
		x := s.Width - a.row(objects)
		for _, o := range objects {
			w := o.MinSize().Width
			o.Move(fyne.NewPos(x, 0))
			o.Resize(fyne.NewSize(w, s.Height))
			x += w + Gap
		}
		return
	}
	y := float32(0)
	for _, o := range slices.Backward(objects) { // what leads on comes first
		h := o.MinSize().Height
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(s.Width, h))
		y += h + Gap
	}
}

// MinSize implements fyne.Layout.
func (a *answers) MinSize(objects []fyne.CanvasObject) fyne.Size {
	objects = visible(objects)
	var m fyne.Size
	sum := -float32(Gap)
	for _, o := range objects {
		m = m.Max(o.MinSize())
		sum += o.MinSize().Height + Gap
	}
	if a.width > 0 && a.row(objects) > a.width {
		m.Height = sum
	}
	return m
}
