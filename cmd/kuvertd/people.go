package main

import (
	"context"
	"errors"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/qr"
)

var peopleCommands = []command{
	{name: "invite", args: "[--qr FILE.png] [--file FILE.kuvert]", says: "Print a new invitation", setup: inviteSomebody},
	{name: "accept", args: "INVITATION|FILE", says: "Accept an invitation: its text, a .kuvert file or a picture of its code", min: 1, max: 1, setup: accept},
	{name: "contacts", says: "List the contacts", setup: contacts},
	{name: "safety", args: "CONTACT", says: "Print the safety number", min: 1, max: 1, setup: safety},
	{name: "verify", args: "CONTACT --yes", says: "Record that both of you compared the safety number", min: 1, max: 1, setup: verify},
	{name: "block", args: "CONTACT [--undo]", says: "Refuse what a contact sends", min: 1, max: 1, setup: block},
	{name: "requests", says: "List those who wish to become contacts", setup: requests},
	{name: "accept-request", args: "PERSON [--refuse]", says: "Accept or refuse a contact request", min: 1, max: 1, setup: acceptRequest},
}

// qrPixels is the side of a picture of a code.
const qrPixels = 1024

func inviteSomebody(f *pflag.FlagSet) action {
	picture := f.String("qr", "", "write a picture of the code to this PNG file")
	file := f.String("file", "", "write the invitation to this .kuvert file")
	return func(ctx context.Context, e *env, _ []string) error {
		return e.with(ctx, func(c core.Client) error {
			inv, err := c.Invite(ctx, 0)
			if err != nil {
				return err
			}
			if err := saveInvitation(inv, *picture, *file); err != nil {
				return err
			}
			return e.line(invitation{inv.Code, inv.ID, inv.ExpiresAt.UTC()},
				"%s\nGood until %s, for one person.", inv.Code, inv.ExpiresAt.Local().Format(time.DateTime))
		})
	}
}

type invitation struct {
	Invitation string    `json:"invitation"`
	ID         string    `json:"id"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func saveInvitation(inv core.IssuedInvitation, picture, file string) error {
	if picture != "" {
		img, err := qr.Encode(inv.Code, qrPixels)
		if err != nil {
			return err
		}
		if err := writeFile(picture, func(w io.Writer) error { return png.Encode(w, img) }); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	return writeFile(file, func(w io.Writer) error { _, err := w.Write(inv.File); return err })
}

// writeFile makes a file for this user alone: whoever has an invitation can use
// it.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return refusal{"the file " + filepath.Base(path) + " cannot be written", "choose another place", exitFailed}
	}
	return errors.Join(write(f), f.Close())
}

func accept(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		code, err := readCode(ctx, args[0])
		if err != nil {
			return err
		}
		if isNodeLink(code) {
			return refusal{"this is a node's access link, not an invitation", "add the node with kuvertd nodes add, and ask the person for an invitation", exitUsage}
		}
		return e.with(ctx, func(c core.Client) error {
			got, err := c.Accept(ctx, code, false)
			if err != nil {
				return err
			}
			return e.line(got, "Accepted. The contact's id is %s; messages wait until the other computer is seen.", got.Contact)
		})
	}
}

// nodePrefix begins a node's access link.
const nodePrefix = "KUVERT-NODE:"

// isNodeLink reports whether text begins like a node's access link, in any case.
func isNodeLink(text string) bool {
	t := strings.TrimSpace(text)
	return len(t) >= len(nodePrefix) && strings.EqualFold(t[:len(nodePrefix)], nodePrefix)
}

// readCode returns the invitation or the access link that arg is, or that the
// file it names holds.
func readCode(ctx context.Context, arg string) (string, error) {
	if qr.IsInvitation(arg) || isNodeLink(arg) {
		return arg, nil
	}
	data, err := qr.ReadFile(arg, qr.MaxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Ext(arg) != "":
		return "", refusal{"there is no file " + filepath.Base(arg), "check its name, or give the text of the code", exitNotFound}
	case errors.Is(err, fs.ErrPermission):
		return "", refusal{"the file " + filepath.Base(arg) + " cannot be read", "check its permissions", exitFailed}
	case errors.Is(err, qr.ErrNoPicture), errors.Is(err, qr.ErrTooLarge):
		return "", err
	case err != nil:
		return arg, nil // no file: the core says what is wrong with the text
	case qr.IsPicture(data):
		return readPicture(ctx, data)
	}
	return string(data), nil
}

// readPicture finds an invitation or an access link in a picture.
func readPicture(ctx context.Context, data []byte) (string, error) {
	code, err := qr.Decode(ctx, data)
	var foreign *qr.ForeignError
	if errors.As(err, &foreign) && isNodeLink(foreign.Text) {
		return foreign.Text, nil
	}
	return code, err
}

type contactLine struct {
	ID       chat.PersonID `json:"id"`
	Name     string        `json:"name"`
	Verified bool          `json:"verified"`
	Online   bool          `json:"online"`
	Relayed  bool          `json:"relayed"` // online, but through a node alone
	Blocked  bool          `json:"blocked"`
	Pending  bool          `json:"pending"`
}

func contacts(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, _ []string) error {
		return e.with(ctx, func(c core.Client) error {
			list, err := c.Contacts(ctx)
			if err != nil {
				return err
			}
			out := []contactLine{}
			for _, ct := range list {
				out = append(out, contactLine{ct.ID, ct.Name, ct.Verified, ct.Online, ct.Relayed, ct.Blocked, ct.Pending})
			}
			return e.show(out, func(w io.Writer) {
				var rows [][]string
				for _, l := range out {
					rows = append(rows, []string{l.Name, l.ID.String(), l.states()})
				}
				table(w, rows)
			})
		})
	}
}

func (l contactLine) states() string {
	var s []string
	for _, is := range []struct {
		set  bool
		word string
	}{{l.Online, "online"}, {l.Verified, "verified"}, {l.Blocked, "blocked"}, {l.Pending, "not answered yet"}} {
		if is.set {
			s = append(s, is.word)
		}
	}
	return strings.Join(s, ", ")
}

func safety(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		return e.with(ctx, func(c core.Client) error {
			ct, err := contact(ctx, c, args[0])
			if err != nil {
				return err
			}
			return e.showSafety(ctx, c, ct)
		})
	}
}

func (e *env) showSafety(ctx context.Context, c core.Client, ct chat.Contact) error {
	s, err := c.Safety(ctx, ct.ID)
	if err != nil {
		return err
	}
	return e.line(s, "%s\n%s", ct.Name, s.Number)
}

func verify(f *pflag.FlagSet) action {
	yes := f.Bool("yes", false, "both of you compared the number, and it is the same")
	return func(ctx context.Context, e *env, args []string) error {
		return e.with(ctx, func(c core.Client) error {
			ct, err := contact(ctx, c, args[0])
			if err != nil {
				return err
			}
			if *yes {
				if err := c.Verify(ctx, ct.ID); err != nil {
					return err
				}
			}
			if err := e.showSafety(ctx, c, ct); err != nil || *yes {
				return err
			}
			return refusal{"not verified", "compare the number with the other person, then say it again with --yes", exitRefused}
		})
	}
}

func block(f *pflag.FlagSet) action {
	undo := f.Bool("undo", false, "take it back")
	return func(ctx context.Context, e *env, args []string) error {
		return e.with(ctx, func(c core.Client) error {
			ct, err := contact(ctx, c, args[0])
			if err != nil {
				return err
			}
			if err := c.SetBlocked(ctx, ct.ID, !*undo); err != nil {
				return err
			}
			says := "blocked"
			if *undo {
				says = "no longer blocked"
			}
			return e.line(map[string]any{"id": ct.ID, "blocked": !*undo}, "%s is %s.", ct.Name, says)
		})
	}
}

func requests(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, _ []string) error {
		return e.with(ctx, func(c core.Client) error {
			list, err := c.Requests(ctx)
			if err != nil {
				return err
			}
			if list == nil {
				list = []chat.Request{}
			}
			return e.show(list, func(w io.Writer) {
				var rows [][]string
				for _, r := range list {
					rows = append(rows, []string{r.Name, r.ID.String(), r.ReceivedAt.Local().Format(time.DateTime)})
				}
				table(w, rows)
			})
		})
	}
}

func acceptRequest(f *pflag.FlagSet) action {
	refuse := f.Bool("refuse", false, "refuse it; the other side is not told")
	return func(ctx context.Context, e *env, args []string) error {
		return e.with(ctx, func(c core.Client) error {
			r, err := request(ctx, c, args[0])
			if err != nil {
				return err
			}
			if err := c.AnswerRequest(ctx, r.ID, !*refuse); err != nil {
				return err
			}
			says := "is a contact now"
			if *refuse {
				says = "was refused"
			}
			return e.line(map[string]any{"contact": r.ID, "accepted": !*refuse}, "%s %s.", r.Name, says)
		})
	}
}
