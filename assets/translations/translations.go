// Package translations holds what the screens say, in German and in English, and
// gives one of the two to Fyne.
//
// The files are NAME.LANGUAGE.json in the format of package lang; fyne.*.json
// repeat the toolkit's own words, so that its file dialogs speak the chosen
// language too. Fyne follows the system's language and has no call to choose
// another: Register puts the chosen one in the place of the system's. Called
// again it replaces what was there, for everything that is drawn afterwards.
package translations

import (
	"embed"
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
)

// The languages there are.
const (
	German  = "de"
	English = "en"
)

//go:embed *.json
var files embed.FS

// Choose returns the language for a setting ("de", "en", or "" for the system's)
// and the system's locale, such as "de-DE". The kin of German and the languages
// of its neighbours in a German-speaking country get German, everybody else
// English.
func Choose(setting string, locale fyne.Locale) string {
	if setting == German || setting == English {
		return setting
	}
	base, region, _ := strings.Cut(strings.ToLower(string(locale)), "-")
	switch base {
	case "de", "gsw", "nds", "lb", "hsb", "dsb", "bar", "ksh":
		return German
	case "", "en", "und":
		return English
	}
	switch region, _, _ = strings.Cut(region, "-"); region {
	case "de", "at", "li":
		return German
	}
	return English
}

// Register makes language the one that Fyne speaks, whatever the system's is.
func Register(language string) error {
	if language != German && language != English {
		return fmt.Errorf("translations: no language %q", language)
	}
	entries, err := files.ReadDir(".")
	if err != nil {
		return fmt.Errorf("translations: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "."+language+".json") {
			continue
		}
		data, err := files.ReadFile(e.Name())
		if err != nil {
			return fmt.Errorf("translations: %w", err)
		}
		if err := register(data); err != nil {
			return fmt.Errorf("translations: %s: %w", e.Name(), err)
		}
	}
	return nil
}

// register puts messages in the place of every locale that Fyne may look at: the
// system's, and English, to which it falls back.
func register(data []byte) error {
	for _, l := range []fyne.Locale{lang.SystemLocale(), "en"} {
		if err := lang.AddTranslationsForLocale(data, l); err != nil {
			return err
		}
	}
	return nil
}
