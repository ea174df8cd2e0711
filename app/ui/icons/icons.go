// Package icons gives the outline icons to Fyne in the theme's colours. The files
// are drawn in currentColor; a resource here answers with the colour that its name
// has at the time it is asked, so that it follows a change of theme.
package icons

import (
	"bytes"
	"fmt"
	"image/color"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/assets"
)

// Name is an icon's file name without its ending.
type Name string

// The icons, 20 dp square.
const (
	AddContact  Name = "add-contact"
	Alert       Name = "alert"
	Attach      Name = "attach"
	Back        Name = "back"
	Bell        Name = "bell"
	Block       Name = "block"
	Chats       Name = "chats"
	Check       Name = "check"
	Clipboard   Name = "clipboard"
	Clock       Name = "clock"
	Close       Name = "close"
	Contact     Name = "contact"
	Copy        Name = "copy"
	Disk        Name = "disk"
	Down        Name = "down"
	Edit        Name = "edit"
	Eye         Name = "eye"
	File        Name = "file"
	Globe       Name = "globe"
	Home        Name = "home"
	Info        Name = "info"
	Link        Name = "link"
	Lock        Name = "lock"
	Mailbox     Name = "mailbox"
	More        Name = "more"
	Network     Name = "network"
	Offline     Name = "offline"
	Palette     Name = "palette"
	Picture     Name = "picture"
	Pulse       Name = "pulse"
	QR          Name = "qr"
	Resend      Name = "resend"
	Save        Name = "save"
	Search      Name = "search"
	Send        Name = "send"
	Settings    Name = "settings"
	Shield      Name = "shield"
	ShieldCheck Name = "shield-check" // a verified contact
	Trash       Name = "trash"
	Up          Name = "up"
	Warning     Name = "warning"
)

// The marks of a message's state, 16 × 10 dp.
const (
	TickClock  Name = "tick-clock"  // waits here
	Tick       Name = "tick"        // sent
	Ticks      Name = "ticks"       // delivered
	TicksRead  Name = "ticks-read"  // read; bolder as well as coloured
	TickFailed Name = "tick-failed" // failed
)

// Resource is an icon in a colour of the theme.
type Resource struct {
	name  string
	svg   []byte
	color fyne.ThemeColorName
}

var (
	_ fyne.Resource       = (*Resource)(nil)
	_ fyne.ThemedResource = (*Resource)(nil)
)

// New returns an icon in the colour of text.
func New(n Name) *Resource { return Colored(n, theme.ColorNameForeground) }

// Colored returns an icon in a colour of the theme. A name that does not exist
// gives an empty picture; a test keeps the constants true.
func Colored(n Name, c fyne.ThemeColorName) *Resource {
	svg, err := shape(n)
	if err != nil {
		svg = []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"></svg>`)
	}
	return &Resource{name: string(n), svg: svg, color: c}
}

var shapes sync.Map // Name → []byte

// shape is the icon made of filled shapes; it is worked out once.
func shape(n Name) ([]byte, error) {
	if svg, ok := shapes.Load(n); ok {
		return svg.([]byte), nil //nolint:forcetypeassert // only shape stores
	}
	svg, err := assets.Icons.ReadFile("icons/" + string(n) + ".svg")
	if err != nil {
		return nil, err
	}
	if svg, err = outline(svg); err == nil {
		shapes.Store(n, svg)
	}
	return svg, err
}

// Empty is the drawing for an empty list, 96 dp square.
func Empty(c fyne.ThemeColorName) *Resource {
	svg, err := outline(assets.Empty)
	if err != nil {
		svg = assets.Empty
	}
	return &Resource{name: "empty", svg: svg, color: c}
}

// App is the app's own icon.
func App() fyne.Resource { return fyne.NewStaticResource("kuvert.png", assets.AppIcon) }

// AppUnread is the app's icon with a mark for unread messages.
func AppUnread() fyne.Resource {
	return fyne.NewStaticResource("kuvert-unread.png", assets.AppIconUnread)
}

func (r *Resource) hex() string {
	s := fyne.CurrentApp().Settings()
	c, ok := color.NRGBAModel.Convert(s.Theme().Color(r.color, s.ThemeVariant())).(color.NRGBA)
	if !ok {
		return "#000000"
	}
	return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
}

// Name implements fyne.Resource. It holds the colour, because pictures are cached
// by name.
func (r *Resource) Name() string { return r.name + r.hex() + ".svg" }

// Content implements fyne.Resource.
func (r *Resource) Content() []byte {
	return bytes.ReplaceAll(r.svg, []byte("currentColor"), []byte(r.hex()))
}

// ThemeColorName implements fyne.ThemedResource.
func (r *Resource) ThemeColorName() fyne.ThemeColorName { return r.color }
