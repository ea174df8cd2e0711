package theme

import (
	"fmt"
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// luminance is WCAG 2.1's relative luminance.
func luminance(c color.NRGBA) float64 {
	f := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*f(c.R) + 0.7152*f(c.G) + 0.0722*f(c.B)
}

func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

// over lays a translucent colour on a ground.
func over(top, ground color.NRGBA) color.NRGBA {
	mix := func(t, g uint8) uint8 { return uint8((int(t)*int(top.A) + int(g)*(255-int(top.A))) / 255) }
	return color.NRGBA{mix(top.R, ground.R), mix(top.G, ground.G), mix(top.B, ground.B), 255}
}

const (
	textAA  = 4.5 // text under 18.66 px bold or 24 px
	shapeAA = 3.0 // icons, rings, dots
)

// TestContrast: each pair that occurs on screen, in both variants.
func TestContrast(t *testing.T) {
	text, bg := theme.ColorNameForeground, theme.ColorNameBackground
	primary, onPrimary := theme.ColorNamePrimary, theme.ColorNameForegroundOnPrimary
	for _, c := range []struct {
		fg, bg fyne.ThemeColorName
		min    float64
	}{
		{text, bg, textAA},
		{text, ColorSidebar, textAA},
		{text, ColorOwn, textAA},
		{text, ColorOther, textAA},
		{text, ColorSelected, textAA},
		{text, theme.ColorNameInputBackground, textAA},
		{text, theme.ColorNameButton, textAA},
		{text, theme.ColorNameMenuBackground, textAA},
		{text, theme.ColorNameOverlayBackground, textAA},
		{text, ColorWarningTint, textAA},
		{text, ColorErrorTint, textAA},
		{ColorMuted, bg, textAA},
		{ColorMuted, ColorSidebar, textAA},
		{theme.ColorNamePlaceHolder, theme.ColorNameInputBackground, textAA},
		{theme.ColorNamePlaceHolder, theme.ColorNameOverlayBackground, textAA},
		{ColorMutedOnTint, ColorOwn, textAA},
		{ColorMutedOnTint, ColorOther, textAA},
		{ColorMutedOnTint, ColorSelected, textAA},
		{ColorPrimaryOnTint, ColorOwn, textAA},
		{ColorPrimaryOnTint, ColorOther, textAA},
		{ColorPrimaryOnTint, ColorSelected, textAA},
		{ColorErrorOnTint, ColorOwn, textAA},
		{ColorErrorOnTint, ColorSelected, textAA},
		{ColorErrorOnTint, ColorErrorTint, textAA},
		{primary, bg, textAA},
		{primary, ColorSidebar, textAA},
		{onPrimary, primary, textAA},
		{theme.ColorNameError, bg, textAA},
		{theme.ColorNameError, ColorSidebar, textAA},
		{theme.ColorNameForegroundOnError, theme.ColorNameError, textAA},
		{theme.ColorNameWarning, bg, textAA},
		{theme.ColorNameWarning, ColorWarningTint, textAA},
		{theme.ColorNameForegroundOnWarning, theme.ColorNameWarning, textAA},
		{theme.ColorNameSuccess, bg, textAA},
		{theme.ColorNameForegroundOnSuccess, theme.ColorNameSuccess, textAA},
		{ColorOnline, ColorSidebar, shapeAA},
		{ColorOnline, ColorSelected, shapeAA},
		{ColorOnline, bg, textAA},
		{ColorOnTip, ColorTip, textAA},
	} {
		for _, v := range []fyne.ThemeVariant{theme.VariantLight, theme.VariantDark} {
			check(t, fmt.Sprintf("%s on %s, variant %d", c.fg, c.bg, v), of(c.fg, v), of(c.bg, v), c.min)
		}
	}
	for _, v := range []fyne.ThemeVariant{theme.VariantLight, theme.VariantDark} {
		for _, ground := range []fyne.ThemeColorName{ColorOwn, ColorOther} {
			quote := over(of(ColorQuote, v), of(ground, v))
			check(t, fmt.Sprintf("quote on %s, variant %d", ground, v), of(ColorMutedOnTint, v), quote, textAA)
			check(t, fmt.Sprintf("quote's name on %s, variant %d", ground, v), of(ColorPrimaryOnTint, v), quote, textAA)
			check(t, fmt.Sprintf("selected text on %s, variant %d", ground, v), of(text, v), over(of(theme.ColorNameSelection, v), of(ground, v)), textAA)
		}
	}
	for i, c := range avatars {
		check(t, fmt.Sprintf("initials on avatar %d", i), rgb(0xFFFFFF), c, textAA)
	}
}

func of(n fyne.ThemeColorName, v fyne.ThemeVariant) color.NRGBA {
	if v == theme.VariantDark {
		return palette[n].dark
	}
	return palette[n].light
}

func check(t *testing.T, what string, fg, bg color.NRGBA, least float64) {
	t.Helper()
	if got := contrast(fg, bg); got < least {
		t.Errorf("%s: %.2f, want %.1f", what, got, least)
	}
}

// TestContrastFormula: the figures that WCAG's own examples give.
func TestContrastFormula(t *testing.T) {
	if got := contrast(rgb(0), rgb(0xFFFFFF)); math.Abs(got-21) > 0.001 {
		t.Errorf("black on white: %v", got)
	}
	if got := contrast(rgb(0x777777), rgb(0xFFFFFF)); math.Abs(got-4.48) > 0.01 {
		t.Errorf("#777 on white: %v", got)
	}
}

func TestChoice(t *testing.T) {
	for _, c := range []struct {
		choice string
		system fyne.ThemeVariant
		want   color.NRGBA
	}{
		{Light, theme.VariantDark, rgb(0xFFFFFF)},
		{Dark, theme.VariantLight, rgb(0x16181D)},
		{System, theme.VariantDark, rgb(0x16181D)},
		{System, theme.VariantLight, rgb(0xFFFFFF)},
		{"pink", theme.VariantLight, rgb(0xFFFFFF)},
	} {
		if got := New(c.choice).Color(theme.ColorNameBackground, c.system); got != c.want {
			t.Errorf("%q over %d: %v", c.choice, c.system, got)
		}
	}
}

// TestAvatarColors: a key keeps its colour, and all colours are used.
func TestAvatarColors(t *testing.T) {
	used := map[color.Color]int{}
	for i := range 1000 {
		id := [32]byte{byte(i), byte(i >> 8)}
		c := AvatarColor(id)
		if c != AvatarColor(id) {
			t.Fatal("a colour changes")
		}
		used[c]++
	}
	if len(used) != len(avatars) {
		t.Errorf("%d of %d colours are used", len(used), len(avatars))
	}
}
