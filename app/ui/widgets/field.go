package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// fieldTheme is the window's theme for a text field without a border at rest: the
// border has the ground's colour and 2 dp, and is the focus ring.
type fieldTheme struct{ radius float32 }

func now() fyne.Theme { return fyne.CurrentApp().Settings().Theme() }

// Color implements fyne.Theme.
func (fieldTheme) Color(n fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	switch n {
	case ftheme.ColorNameInputBorder:
		n = ftheme.ColorNameInputBackground
	case ftheme.ColorNameShadow:
		return color.Transparent
	}
	return now().Color(n, v)
}

// Font implements fyne.Theme.
func (fieldTheme) Font(s fyne.TextStyle) fyne.Resource { return now().Font(s) }

// Icon implements fyne.Theme.
func (fieldTheme) Icon(n fyne.ThemeIconName) fyne.Resource { return now().Icon(n) }

// Size implements fyne.Theme.
func (t fieldTheme) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case ftheme.SizeNameInputRadius:
		return t.radius
	case ftheme.SizeNameInputBorder:
		return 2
	case ftheme.SizeNameInnerPadding:
		return 8
	case ftheme.SizeNameInlineIcon:
		return 18
	}
	return now().Size(n)
}

// Search is the search field: Escape empties it, the arrow down leads to what was
// found.
type Search struct {
	widget.Entry
	clear *IconButton
	// OnDown is called when the arrow down is pressed.
	OnDown func()
	// OnShortcut gets shortcuts first and says whether it took one.
	OnShortcut func(fyne.Shortcut) bool
}

// NewSearch makes a search field. Show the object, not the field.
func NewSearch(tips *Tips, hint, clearLabel string, changed func(string)) (*Search, fyne.CanvasObject) {
	s := &Search{}
	s.ExtendBaseWidget(s)
	s.PlaceHolder = hint
	s.Icon = icons.Colored(icons.Search, theme.ColorMuted)
	s.clear = NewIconButton(tips, icons.Close, clearLabel, func() { s.SetText("") })
	s.clear.side = 28
	s.clear.color = theme.ColorMuted
	s.clear.Hide()
	s.ActionItem = s.clear
	s.OnChanged = func(text string) {
		s.clear.Hidden = text == ""
		s.clear.Refresh()
		changed(text)
	}
	return s, container.NewThemeOverride(s, fieldTheme{radius: 10})
}

// TypedKey implements fyne.Focusable.
func (s *Search) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyEscape:
		s.SetText("")
	case fyne.KeyDown:
		if s.OnDown != nil {
			s.OnDown()
		}
	default:
		s.Entry.TypedKey(e)
	}
}

// TypedShortcut implements fyne.Shortcutable.
func (s *Search) TypedShortcut(k fyne.Shortcut) {
	if s.OnShortcut == nil || !s.OnShortcut(k) {
		s.Entry.TypedShortcut(k)
	}
}
