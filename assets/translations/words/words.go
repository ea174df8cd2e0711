// Package words holds the texts that the command line says in the person's own
// language as well as the screens do: what the doctor found (doctor.*), whom this
// computer contacted (contacted.*), where a message is (delivery.line.*), what a
// line of a conversation tells (conversation.notice.*).
//
// It knows nothing of Fyne, so that a program without a window can use it; package
// translations hands the same files to Fyne. A text may hold {{.param}} and no
// plural forms.
package words

import (
	"embed"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
)

// The languages there are.
const (
	German  = "de"
	English = "en"
)

// Files are NAME.LANGUAGE.json.
//
//go:embed *.json
var Files embed.FS

// Choose returns the language for a setting ("de", "en", or "" for the system's)
// and the system's locale, such as "de-DE". The kin of German and the languages
// of its neighbours in a German-speaking country get German, everybody else
// English.
func Choose(setting, locale string) string {
	if setting == German || setting == English {
		return setting
	}
	base, region, _ := strings.Cut(strings.ToLower(locale), "-")
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

// Locale is the locale that the environment asks for, as POSIX has it: the first
// of LC_ALL, LC_MESSAGES and LANG that is set; "" if that is none or C.
func Locale(getenv func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		value, _, _ := strings.Cut(getenv(name), ".")
		value, _, _ = strings.Cut(value, "@")
		switch value {
		case "":
			continue
		case "C", "POSIX":
			return ""
		}
		return strings.ReplaceAll(value, "_", "-")
	}
	return ""
}

// texts are all texts by language and key.
var texts = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{German: {}, English: {}}
	entries, err := Files.ReadDir(".")
	if err != nil {
		panic(err) // built in
	}
	for _, e := range entries {
		data, err := Files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		into := all[strings.Split(e.Name(), ".")[1]]
		if err := json.Unmarshal(data, &into); err != nil {
			panic(e.Name() + ": " + err.Error())
		}
	}
	return all
})

var placeholder = regexp.MustCompile(`{{\.(\w+)}}`)

// Text returns the text of a key with its params filled in; one that is missing
// is left out. There is a text for every key, except for some advice: that is "".
func Text(language, key string, params map[string]string) string {
	return placeholder.ReplaceAllStringFunc(texts()[language][key], func(p string) string {
		return params[placeholder.FindStringSubmatch(p)[1]]
	})
}
