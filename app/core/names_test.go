package core

import (
	"errors"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
)

func TestNames(t *testing.T) {
	for _, good := range []string{
		"Anna", "Jürgen Groß", "O'Neill-Šimić", "李小龍", "R2-D2", "Team 🚒", strings.Repeat("x", chat.MaxNameSize), "Anna B.",
	} {
		if err := checkName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", " ", "\u00a0\u2003", "a\nb", "a\tb", "a\x00b", "a\u202eb", "\u2066a", "a\u200db", "\ufeffa", "\xff", "a\u2028b",
		strings.Repeat("x", chat.MaxNameSize+1), strings.Repeat("ü", chat.MaxNameSize/2+1),
	} {
		if err := checkName(bad); !errors.Is(err, chat.ErrBadName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSettingValues(t *testing.T) {
	for key, values := range map[string][]string{
		SettingName: {"Anna"}, SettingNetwork: {NetworkLAN, NetworkInternet}, SettingLanguage: {"", "de", "en"},
		SettingTheme: {"", "light", "dark"}, SettingVisible: {"true", "false"}, SettingNotify: {"true", "false"},
		SettingNotifyContent: {"true", "false"}, SettingReadReceipts: {"true", "false"},
		SettingLockAfter: {"", "5", "15", "60"},
	} {
		for _, v := range values {
			if err := checkSetting(key, v); err != nil {
				t.Errorf("%s = %q: %v", key, v, err)
			}
		}
		for _, v := range []string{"nonsense\x00", "True", "1", strings.Repeat("x", 1000)} {
			if err := checkSetting(key, v); err == nil && key != SettingName {
				t.Errorf("%s = %q was taken", key, v)
			}
		}
	}
	for _, key := range []string{"", "nonsense", "self", "Name"} {
		if err := checkSetting(key, "true"); !errors.Is(err, chat.ErrUnsupported) {
			t.Errorf("%q: %v", key, err)
		}
	}
	for key, v := range settingDefaults {
		if err := checkSetting(key, v); err != nil && key != SettingName {
			t.Errorf("the default %q of %s: %v", v, key, err)
		}
	}
}
