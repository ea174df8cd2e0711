package settings

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// reach is the section about how far Kuvert may write, and where it looks for
// others.
func (s *Screen) reach() []fyne.CanvasObject {
	s.network = parts.NewChoiceGroup(-1,
		[2]string{parts.T("screens.network.lan"), parts.T("screens.network.lan.text")},
		[2]string{parts.T("screens.network.internet"), parts.T("screens.network.internet.text")})
	s.network.OnChanged = func(i int) {
		s.set(core.SettingNetwork, []string{core.NetworkLAN, core.NetworkInternet}[i], nil)
	}
	s.state = parts.Muted("")
	out := []fyne.CanvasObject{parts.Column(parts.Gap, s.network.Objects()...), s.state, s.trouble}
	if s.cfg.Doctor != nil {
		out = append(out, parts.Row(0, parts.NewButtonWithIcon(parts.T("screens.doctor.title"), icons.New(icons.Pulse), s.cfg.Doctor)))
	}
	return append(out, parts.Line(), parts.Column(6, s.further()...))
}

// further asks for the office's other networks.
func (s *Screen) further() []fyne.CanvasObject {
	s.try, s.trySay = widget.NewEntry(), parts.NewSay()
	s.try.SetPlaceHolder(parts.T("screens.settings.try.hint"))
	s.trySave = parts.NewButton(parts.T("screens.save"), s.saveTry)
	s.trySave.Disable()
	s.try.OnChanged = func(t string) {
		s.trySay.Clear()
		if strings.TrimSpace(t) == s.values[core.SettingTryAddrs] {
			s.trySave.Disable()
		} else {
			s.trySave.Enable()
		}
	}
	s.try.OnSubmitted = func(string) { s.saveTry() }
	return []fyne.CanvasObject{
		parts.Label(parts.T("screens.settings.try")),
		parts.Beside(parts.Gap, nil, s.try, s.trySave),
		s.trySay,
		parts.Muted(parts.T("screens.settings.try.text")),
	}
}

func (s *Screen) saveTry() {
	list := strings.TrimSpace(s.try.Text)
	if list == s.values[core.SettingTryAddrs] {
		return
	}
	if wrong := checkTry(list); wrong != "" {
		s.trySay.Set(parts.ToneError, wrong)
		s.relayout()
		s.cfg.Window.Canvas().Focus(s.try)
		return
	}
	s.trySave.Disable()
	s.set(core.SettingTryAddrs, list, func() {
		s.trySay.Set(parts.ToneGood, parts.T("screens.settings.try.saved"))
		s.relayout()
	})
}

// checkTry says what is wrong with a list of addresses and ranges, "" if nothing
// is.
func checkTry(list string) string {
	total := 0.0
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }) {
		n, err := addresses(word)
		if err != nil {
			return parts.T("screens.settings.try.bad", parts.With("Word", word))
		}
		total += n
	}
	if total > core.MaxTryAddrs {
		return parts.T("screens.settings.try.many", parts.With("Most", core.MaxTryAddrs))
	}
	return ""
}

// addresses is how many addresses a word stands for: one, or those of a range. Only
// IPv4 is searched.
func addresses(word string) (float64, error) {
	if ip, err := netip.ParseAddr(word); err == nil && ip.Is4() {
		return 1, nil
	}
	r, err := netip.ParsePrefix(word)
	if err == nil && !r.Addr().Is4() {
		err = strconv.ErrRange
	}
	if err != nil {
		return 0, fmt.Errorf("settings: %w", err)
	}
	n := 1.0
	for range r.Addr().BitLen() - r.Bits() {
		n *= 2
	}
	return n, nil
}

var troubles = map[string]struct {
	tone parts.Tone
	key  string
}{
	core.TroublePort:      {parts.ToneWarning, "screens.settings.trouble.port"},
	core.TroubleMulticast: {parts.ToneWarning, "screens.settings.trouble.multicast"},
	core.TroubleDiskFull:  {parts.ToneError, "screens.settings.trouble.disk"},
	core.TroubleDatabase:  {parts.ToneError, "screens.settings.trouble.database"},
	core.TroubleNoNetwork: {parts.ToneWarning, "screens.settings.trouble.network"},
}

func (s *Screen) showNetwork(n core.Network) {
	if n.Online {
		s.state.SetText(parts.T("screens.settings.network.online", parts.With("Port", n.Port)))
	} else {
		s.state.SetText(parts.T("screens.settings.network.offline"))
	}
	if t, ok := troubles[n.Trouble]; ok {
		s.trouble.Set(t.tone, parts.T(t.key))
	} else {
		s.trouble.Clear()
	}
}
