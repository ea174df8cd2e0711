// Package theme holds Kuvert's colours and measures and gives them to Fyne.
//
// Every colour has a name; widgets ask for names, never for colours, so that a
// change of theme reaches all of them. A test computes the contrast of each pair
// that occurs on screen: at least WCAG 2.1 AA.
package theme

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Colours beyond Fyne's own names.
const (
	ColorSidebar       fyne.ThemeColorName = "kuvert.sidebar"
	ColorMuted         fyne.ThemeColorName = "kuvert.muted"         // less important text
	ColorMutedOnTint   fyne.ThemeColorName = "kuvert.muted_on_tint" // … on a bubble or a selected row
	ColorPrimaryOnTint fyne.ThemeColorName = "kuvert.primary_on_tint"
	ColorErrorOnTint   fyne.ThemeColorName = "kuvert.error_on_tint"
	ColorOwn           fyne.ThemeColorName = "kuvert.own"   // own bubble
	ColorOther         fyne.ThemeColorName = "kuvert.other" // somebody else's bubble
	ColorSelected      fyne.ThemeColorName = "kuvert.selected"
	ColorOnline        fyne.ThemeColorName = "kuvert.online"
	ColorQuote         fyne.ThemeColorName = "kuvert.quote" // shade over a bubble
	ColorWarningTint   fyne.ThemeColorName = "kuvert.warning_tint"
	ColorErrorTint     fyne.ThemeColorName = "kuvert.error_tint"
	ColorTip           fyne.ThemeColorName = "kuvert.tip"
	ColorOnTip         fyne.ThemeColorName = "kuvert.on_tip"
)

type pair struct{ light, dark color.NRGBA }

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16 & 0xFF), G: uint8(v >> 8 & 0xFF), B: uint8(v & 0xFF), A: 0xFF}
}

func rgba(v uint32, a uint8) color.NRGBA {
	c := rgb(v)
	c.A = a
	return c
}

func solid(light, dark uint32) pair { return pair{rgb(light), rgb(dark)} }

var palette = map[fyne.ThemeColorName]pair{
	theme.ColorNameBackground:          solid(0xFFFFFF, 0x16181D),
	theme.ColorNameForeground:          solid(0x1A1D23, 0xECEEF2),
	theme.ColorNamePrimary:             solid(0x1E5FD0, 0x6EA4FF),
	theme.ColorNameForegroundOnPrimary: solid(0xFFFFFF, 0x0C1A33),
	theme.ColorNameHyperlink:           solid(0x1E5FD0, 0x6EA4FF),
	theme.ColorNameInputBackground:     solid(0xEDF0F4, 0x262B33),
	theme.ColorNameInputBorder:         solid(0xC9CED8, 0x3A414D),
	theme.ColorNamePlaceHolder:         solid(0x616977, 0x9AA3B2),
	theme.ColorNameSeparator:           solid(0xE3E6EB, 0x2A2F38),
	theme.ColorNameHover:               {rgba(0x0B1F44, 14), rgba(0xFFFFFF, 16)},
	theme.ColorNamePressed:             {rgba(0x0B1F44, 30), rgba(0xFFFFFF, 34)},
	theme.ColorNameSelection:           {rgba(0x1E5FD0, 70), rgba(0x6EA4FF, 90)},
	theme.ColorNameFocus:               {rgba(0x1E5FD0, 60), rgba(0x6EA4FF, 70)},
	theme.ColorNameShadow:              {rgba(0x0B1F44, 40), rgba(0x000000, 110)},
	theme.ColorNameScrollBar:           {rgba(0x0B1F44, 90), rgba(0xFFFFFF, 90)},
	theme.ColorNameScrollBarBackground: {},
	theme.ColorNameError:               solid(0xC62828, 0xFF8A80),
	theme.ColorNameForegroundOnError:   solid(0xFFFFFF, 0x2B0B08),
	theme.ColorNameSuccess:             solid(0x157F3F, 0x3CCB77),
	theme.ColorNameForegroundOnSuccess: solid(0xFFFFFF, 0x08240F),
	theme.ColorNameWarning:             solid(0x9A5B00, 0xF5B942),
	theme.ColorNameForegroundOnWarning: solid(0xFFFFFF, 0x2A1D00),
	theme.ColorNameOverlayBackground:   solid(0xFFFFFF, 0x1F232A),
	theme.ColorNameMenuBackground:      solid(0xFFFFFF, 0x23272F),
	theme.ColorNameHeaderBackground:    solid(0xF6F7F9, 0x1B1E24),
	theme.ColorNameButton:              solid(0xE9ECF1, 0x2A2F38),
	theme.ColorNameDisabledButton:      solid(0xE9ECF1, 0x2A2F38),
	theme.ColorNameDisabled:            solid(0x8A92A0, 0x6B7484),
	ColorSidebar:                       solid(0xF6F7F9, 0x1B1E24),
	ColorMuted:                         solid(0x616977, 0x9AA3B2),
	ColorMutedOnTint:                   solid(0x555D6B, 0xB4BDCB),
	ColorPrimaryOnTint:                 solid(0x1A55BD, 0x9CC2FF),
	ColorErrorOnTint:                   solid(0xB3201F, 0xFFA49C),
	ColorOwn:                           solid(0xDCE8FC, 0x1F3D6B),
	ColorOther:                         solid(0xEBEEF3, 0x2B313B),
	ColorSelected:                      solid(0xDFE9FB, 0x263754),
	ColorOnline:                        solid(0x157F3F, 0x3CCB77),
	ColorQuote:                         {rgba(0x0B1F44, 14), rgba(0xFFFFFF, 20)},
	ColorWarningTint:                   solid(0xFFF3DC, 0x3A2E12),
	ColorErrorTint:                     solid(0xFDE8E6, 0x43201E),
	ColorTip:                           solid(0x2B313B, 0xECEEF2),
	ColorOnTip:                         solid(0xFFFFFF, 0x1A1D23),
}

// The values of core.SettingTheme.
const (
	Light  = "light"
	Dark   = "dark"
	System = ""
)

// Theme is Kuvert's look.
type Theme struct {
	base   fyne.Theme
	choice string
}

var _ fyne.Theme = (*Theme)(nil)

// New returns the theme for a choice: Light, Dark, or System for what the
// operating system prefers. Anything else counts as System.
func New(choice string) *Theme { return &Theme{base: theme.DefaultTheme(), choice: choice} }

// Variant is the variant that is shown when the system prefers v.
func (t *Theme) Variant(v fyne.ThemeVariant) fyne.ThemeVariant {
	switch t.choice {
	case Light:
		return theme.VariantLight
	case Dark:
		return theme.VariantDark
	}
	return v
}

// Color implements fyne.Theme.
func (t *Theme) Color(n fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	v = t.Variant(v)
	if p, ok := palette[n]; ok {
		if v == theme.VariantDark {
			return p.dark
		}
		return p.light
	}
	return t.base.Color(n, v)
}

// Font implements fyne.Theme.
func (t *Theme) Font(s fyne.TextStyle) fyne.Resource { return t.base.Font(s) }

// Icon implements fyne.Theme.
func (t *Theme) Icon(n fyne.ThemeIconName) fyne.Resource { return t.base.Icon(n) }

var sizes = map[fyne.ThemeSizeName]float32{
	theme.SizeNameText:            SizeText,
	theme.SizeNameCaptionText:     SizeCaption,
	theme.SizeNameInputRadius:     10,
	theme.SizeNameSelectionRadius: 8,
	theme.SizeNameInnerPadding:    8,
	theme.SizeNamePadding:         4,
	theme.SizeNameScrollBar:       6,
	theme.SizeNameScrollBarSmall:  3,
	theme.SizeNameScrollBarRadius: 3,
	theme.SizeNameButtonRadius:    8,
	theme.SizeNameMenuRadius:      8,
	theme.SizeNamePopupRadius:     8,
	theme.SizeNameDialogRadius:    14,
	theme.SizeNameCardRadius:      14,
}

// Size implements fyne.Theme.
func (t *Theme) Size(n fyne.ThemeSizeName) float32 {
	if s, ok := sizes[n]; ok {
		return s
	}
	return t.base.Size(n)
}

// Color returns the present colour of a name. Call it on the UI thread.
func Color(n fyne.ThemeColorName) color.Color {
	s := fyne.CurrentApp().Settings()
	return s.Theme().Color(n, s.ThemeVariant())
}

// avatars are the grounds of avatars; white letters stand on them.
var avatars = []color.NRGBA{
	rgb(0x2F6FDE), rgb(0x8A4FBF), rgb(0x0C7A71), rgb(0xB5532B), rgb(0xC2417C),
	rgb(0x4D7A2B), rgb(0x5B6472), rgb(0x3F5FA8), rgb(0x9A6A12), rgb(0x7B5E57),
}

// AvatarColor is the colour of a person: the same for the same key everywhere.
func AvatarColor(id [32]byte) color.Color {
	h := uint32(2166136261)
	for _, b := range id {
		h = (h ^ uint32(b)) * 16777619
	}
	return avatars[h%uint32(len(avatars))]
}
