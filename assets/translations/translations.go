// Package translations holds what the screens say, in German and in English, and
// gives one of the two to Fyne.
//
// The files are NAME.LANGUAGE.json in the format of package lang; fyne.*.json
// repeat the toolkit's own words, so that its file dialogs speak the chosen
// language too. Those of package words are said by the command line as well. Fyne follows the system's language and has no call to choose
// another: Register puts the chosen one in the place of the system's. Called
// again it replaces what was there, for everything that is drawn afterwards.
package translations

import (
	"embed"
	"fmt"
	"io/fs"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/kuvert-im/kuvert/assets/translations/words"
)

// The languages there are.
const (
	German  = words.German
	English = words.English
)

//go:embed *.json
var files embed.FS

// sources are all files with texts.
var sources = []embed.FS{files, words.Files}

// Choose returns the language for a setting ("de", "en", or "" for the system's)
// and the system's locale; see words.Choose.
func Choose(setting string, locale fyne.Locale) string {
	return words.Choose(setting, string(locale))
}

// Register makes language the one that Fyne speaks, whatever the system's is.
func Register(language string) error {
	if language != German && language != English {
		return fmt.Errorf("translations: no language %q", language)
	}
	for _, source := range sources {
		if err := registerAll(source, language); err != nil {
			return fmt.Errorf("translations: %w", err)
		}
	}
	return nil
}

func registerAll(source embed.FS, language string) error {
	names, err := fs.Glob(source, "*."+language+".json")
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := source.ReadFile(name)
		if err != nil {
			return err
		}
		if err := register(data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
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
