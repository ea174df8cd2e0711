package addcontact

import (
	"context"
	"errors"
	"io/fs"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Errors of the ways in that have their own sentences.
var (
	// ErrNoClipboard: this computer gives no pictures from its clipboard.
	ErrNoClipboard = errors.New("clipboard cannot be read")
	// ErrClipboardEmpty: there is no picture in it.
	ErrClipboardEmpty = errors.New("no picture in the clipboard")

	errNoText     = errors.New("no text")
	errWebText    = errors.New("link to a web page")
	errUnreadable = errors.New("not a local file")
)

// sentences lists what is said about each error, the first that fits.
var sentences = []struct {
	err error
	key string
}{
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
	{errWebText, "screens.code.web.text"},
	{errUnreadable, "screens.code.unreadable"},
	{fs.ErrNotExist, "screens.code.unreadable"},
	{fs.ErrPermission, "screens.code.unreadable"},
	{chat.ErrDiskFull, "screens.code.diskfull"},
	{chat.ErrUnreachable, "screens.code.unreachable"},
	{chat.ErrRefused, "screens.code.refused"},
}

// sentence says what happened, what it means and what to do; "" if the person
// stopped it.
func sentence(err error) string {
	var foreign *qr.ForeignError
	var path *fs.PathError
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &foreign) && foreign.IsWeb():
		return parts.T("screens.code.web")
	}
	for _, s := range sentences {
		if errors.Is(err, s.err) {
			return parts.T(s.key)
		}
	}
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
