package codes

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Errors of the ways in that have their own sentences.
var (
	// ErrNoClipboard: this computer gives no pictures from its clipboard.
	ErrNoClipboard = files.ErrNoClipboard
	// ErrClipboardEmpty: there is no picture in it.
	ErrClipboardEmpty = files.ErrClipboardEmpty

	// ErrWebText: what was pasted leads to a web page.
	ErrWebText = errors.New("link to a web page")
	// ErrWebCode: so does the QR code in a picture.
	ErrWebCode = errors.New("QR code leads to a web page")
	// ErrElsewhere: the code is good, but belongs on another screen.
	ErrElsewhere = errors.New("code belongs elsewhere")

	errNoText     = errors.New("no text")
	errUnreadable = errors.New("not a local file")
)

// nodePrefix begins the access link of a mailbox.
const nodePrefix = "KUVERT-NODE:"

// IsNodeLink reports whether text begins like the access link of a mailbox, in any
// case.
func IsNodeLink(text string) bool {
	t := strings.TrimSpace(text)
	return len(t) > len(nodePrefix) && strings.EqualFold(t[:len(nodePrefix)], nodePrefix)
}

// Sentence is what is said about an error: the key of its text.
type Sentence struct {
	Err error
	Key string
}

// sentences lists what is said about each error, the first that fits.
var sentences = []Sentence{
	{chat.ErrInvitationExpired, "screens.code.expired"},
	{chat.ErrInvitationUsed, "screens.code.used"},
	{chat.ErrInvitationOwn, "screens.code.own"},
	{chat.ErrInvitationVersion, "screens.code.version"},
	{chat.ErrInvitationMalformed, "screens.code.malformed"},
	{chat.ErrAlreadyContact, "screens.code.contact"},
	{chat.ErrBlocked, "screens.code.blocked"},
	{chat.ErrNoQRCode, "screens.code.none"},
	{qr.ErrSeveral, "screens.code.several"},
	{qr.ErrForeign, "screens.code.foreign"},
	{qr.ErrTooLarge, "screens.code.large"},
	{qr.ErrNoPicture, "screens.code.picture"},
	{ErrNoClipboard, "screens.code.clipboard.none"},
	{ErrClipboardEmpty, "screens.code.clipboard.empty"},
	{errNoText, "screens.code.empty"},
	{ErrWebCode, "screens.code.web"},
	{ErrWebText, "screens.code.web.text"},
	{errUnreadable, "screens.code.unreadable"},
	{fs.ErrNotExist, "screens.code.unreadable"},
	{fs.ErrPermission, "screens.code.unreadable"},
	{chat.ErrDiskFull, "screens.code.diskfull"},
	{chat.ErrUnreachable, "screens.code.unreachable"},
	{chat.ErrRefused, "screens.code.refused"},
}

func (f *Form) sentence(err error) string { return Say(err, f.cfg.Sentences...) }

// Say says what happened, what it means and what to do; "" if the person stopped
// it. The special sentences come before the usual ones.
func Say(err error, special ...Sentence) string {
	var foreign *qr.ForeignError
	if errors.Is(err, context.Canceled) {
		return ""
	}
	if errors.As(err, &foreign) && foreign.IsWeb() {
		err = ErrWebCode
	}
	for _, list := range [][]Sentence{special, sentences} {
		for _, s := range list {
			if errors.Is(err, s.Err) {
				return parts.T(s.Key)
			}
		}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return parts.T("screens.code.unreadable")
	}
	return parts.T("screens.code.unknown")
}

// tone is milder where nothing is wrong.
func tone(err error) parts.Tone {
	if errors.Is(err, chat.ErrAlreadyContact) {
		return parts.ToneInfo
	}
	return parts.ToneError
}
