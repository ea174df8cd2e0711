//go:build linux

// Demo shows two people meeting and writing to each other: two complete profiles,
// two real windows on a virtual screen, and the real network between them on
// loopback. Whatever is written is typed into the windows. It leaves pictures of
// both windows in light and dark, in German and English, and prints what happened.
//
//	go run -tags migrated_fynedo ./cmd/kuvert/demo -out build/demo
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// patience is how long anything may take to happen.
const patience = 60 * time.Second

// look is one way to show the windows.
type look struct{ theme, language string }

var looks = []look{{"light", "de"}, {"dark", "de"}, {"light", "en"}, {"dark", "en"}}

// said is what is typed, in both languages. An empty line is not sent.
var said = map[string][2]string{
	"de": {"Guten Morgen, Bernd! Ist das Angebot schon fertig?", "Ja, es liegt bei dir im Postfach."},
	"en": {"Good morning, Bernd! Is the offer ready?", "Yes, it is on your desk."},
}

func main() {
	out := flag.String("out", "build/demo", "folder for the pictures")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := show(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func show(ctx context.Context, out string) (err error) {
	if err := os.MkdirAll(out, 0o755); err != nil { //nolint:gosec // pictures for everybody
		return err
	}
	work, err := os.MkdirTemp("", "kuvert-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := os.Setenv("KUVERT_KEY_FILE", filepath.Join(work, "key")); err != nil { // no keyring on a virtual screen
		return err
	}
	if err := os.Setenv("XDG_RUNTIME_DIR", work); err != nil { // for the sockets of the two programs
		return err
	}
	binary := filepath.Join(work, "kuvert")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "migrated_fynedo", "-o", binary, "./cmd/kuvert")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the app: %w", err)
	}
	scr, err := openScreen(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scr.close()) }()
	d := &demo{screen: scr, binary: binary, out: out}
	if d.anna, err = d.person(ctx, work, "Anna Krüger", 0); err != nil {
		return err
	}
	if d.bernd, err = d.person(ctx, work, "Bernd Hartmann", 1120); err != nil {
		return err
	}
	for i, l := range looks {
		if err := d.act(ctx, l, i == 0); err != nil {
			return fmt.Errorf("%s, %s: %w", l.theme, l.language, err)
		}
	}
	fmt.Println("The pictures are in", out)
	return nil
}

// demo is the stage.
type demo struct {
	screen      *screen
	binary, out string
	anna, bernd *person
}

// act starts both windows in one look, lets them meet the first time, has both
// say something in the look's language and takes the pictures.
func (d *demo) act(ctx context.Context, l look, first bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for _, p := range []*person{d.anna, d.bernd} {
		if err := p.start(ctx, l); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
	}
	defer func() {
		if err != nil {
			_, _ = d.screen.do(ctx, "import", "-silent", "-window", "root", filepath.Join(d.out, "failed.png")) // the error says the rest
		}
	}()
	if first {
		if err := d.meet(ctx, l); err != nil {
			return err
		}
	}
	if l.theme == "light" {
		for i, p := range []*person{d.anna, d.bernd} {
			if err := d.say(ctx, p, d.other(p), said[l.language][i]); err != nil {
				return err
			}
		}
	}
	for _, p := range []*person{d.anna, d.bernd} {
		if err := p.openConversation(ctx); err != nil {
			return err
		}
		if err := p.picture(ctx, filepath.Join(d.out, fmt.Sprintf("%s-%s-%s.png", p.short, l.theme, l.language))); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) other(p *person) *person {
	if p == d.anna {
		return d.bernd
	}
	return d.anna
}

// meet makes the two contacts: one shows an invitation, the other takes it in.
func (d *demo) meet(ctx context.Context, l look) error {
	if err := d.anna.picture(ctx, filepath.Join(d.out, "empty-"+l.theme+"-"+l.language+".png")); err != nil {
		return err
	}
	inv, err := d.anna.Invite(ctx, 0)
	if err != nil {
		return err
	}
	fmt.Println("Anna shows an invitation of", len(inv.Code), "characters; Bernd takes it in.")
	if _, err := d.bernd.Accept(ctx, inv.Code, false); err != nil {
		return err
	}
	for _, p := range []*person{d.anna, d.bernd} {
		if err := await(ctx, "the contact at "+p.name, func() (bool, error) {
			list, err := p.Contacts(ctx)
			return len(list) == 1 && !list[0].Pending && list[0].Online && list[0].Name == d.other(p).name, err
		}); err != nil {
			return err
		}
	}
	fmt.Println("Both are contacts.")
	return d.compare(ctx)
}

// compare lets both look at the six digits and say that they are the same.
func (d *demo) compare(ctx context.Context) error {
	var seen []core.Pairing
	for _, p := range []*person{d.anna, d.bernd} {
		if err := await(ctx, "the digits at "+p.name, func() (bool, error) {
			list, err := p.Pairings(ctx)
			if len(list) != 1 || list[0].Digits == "" {
				return false, err
			}
			seen = append(seen, list[0])
			return true, nil
		}); err != nil {
			return err
		}
	}
	if seen[0].Digits != seen[1].Digits {
		return fmt.Errorf("the digits differ: %s and %s", seen[0].Digits, seen[1].Digits)
	}
	fmt.Println("Both screens show", seen[0].Digits)
	return errors.Join(d.anna.Confirm(ctx, seen[0].ID, true), d.bernd.Confirm(ctx, seen[1].ID, true))
}

// say types a text into one window and waits until the other side has it and has
// said so.
func (d *demo) say(ctx context.Context, from, to *person, text string) error {
	if err := from.openConversation(ctx); err != nil {
		return err
	}
	if err := from.typeText(ctx, text); err != nil {
		return err
	}
	for _, p := range []*person{from, to} {
		if err := await(ctx, fmt.Sprintf("%q at %s", text, p.name), func() (bool, error) {
			m, err := p.newest(ctx, d.other(p))
			return err == nil && m.Text == text && (m.State == chat.Delivered || m.State == chat.Read || m.State == chat.Received), err
		}); err != nil {
			return err
		}
	}
	m, err := from.newest(ctx, to)
	if err != nil {
		return err
	}
	fmt.Printf("%s → %s (%s): %s\n", from.name, to.name, m.State, text)
	return nil
}

// await waits for a condition; its own errors end it only at the deadline.
func await(ctx context.Context, what string, cond func() (bool, error)) error {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		ok, err := cond()
		if ok {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, errors.Join(ctx.Err(), last))
		case <-t.C:
		}
	}
	return fmt.Errorf("waiting for %s: not in %s: %w", what, patience, errors.Join(context.DeadlineExceeded, last))
}

// newest is the newest text between two people.
func (p *person) newest(ctx context.Context, with *person) (chat.Message, error) {
	list, err := p.Messages(ctx, chat.MessageQuery{
		Conversation: chat.DirectConversation(p.id, with.id), Limit: 1, TextOnly: true,
	})
	if err != nil {
		return chat.Message{}, err
	}
	if len(list) == 0 {
		return chat.Message{}, chat.ErrNotFound
	}
	return list[0], nil
}
