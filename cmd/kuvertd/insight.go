package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

var networkCommands = []command{
	{name: "nodes", args: "[add LINK|FILE | remove NODE]", says: "List the nodes that keep my mail, add or remove one", max: 2, setup: nodes},
	{name: "contacted", says: "List whom this computer contacted in the last 24 hours, and what they could learn", setup: contacted},
	{name: "doctor", args: "[--listen HOST:PORT] [--no-discovery]", says: "Look for what keeps messages from arriving; exit code 1 if something is wrong", setup: doctor},
}

// language is the one that this person reads: the profile's, else the system's.
func language(ctx context.Context, c core.Client) (string, error) {
	set, err := c.Settings(ctx)
	if err != nil {
		return "", err
	}
	return words.Choose(set[core.SettingLanguage], words.Locale(os.Getenv)), nil
}

// contactedLine is a machine as scripts see it.
type contactedLine struct {
	Kind   string         `json:"kind"`
	Who    *chat.PersonID `json:"who"`
	Name   string         `json:"name"`
	Host   string         `json:"host"`
	Addr   string         `json:"addr"`
	First  time.Time      `json:"first"`
	Last   time.Time      `json:"last"`
	Count  int            `json:"count"`
	Why    string         `json:"why"`
	Learns string         `json:"learns"`
}

func newContactedLine(lang string, c core.Contacted) contactedLine {
	l := contactedLine{
		Kind: c.Kind, Name: c.Name, Host: c.Host, Addr: c.Addr, First: c.First.UTC(), Last: c.Last.UTC(), Count: c.Count,
		Why:    words.Text(lang, "contacted."+c.Kind+".why", nil),
		Learns: words.Text(lang, "contacted."+c.Kind+".learns", nil),
	}
	if !c.Who.IsZero() {
		l.Who = &c.Who
	}
	return l
}

func contacted(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, _ []string) error {
		return e.with(ctx, func(c core.Client) error {
			lang, err := language(ctx, c)
			if err != nil {
				return err
			}
			list, err := c.Contacted(ctx)
			if err != nil {
				return err
			}
			out := []contactedLine{}
			for _, m := range list {
				out = append(out, newContactedLine(lang, m))
			}
			return e.show(out, func(w io.Writer) { printContacted(w, lang, out) })
		})
	}
}

func printContacted(w io.Writer, lang string, list []contactedLine) {
	if len(list) == 0 {
		fmt.Fprintln(w, words.Text(lang, "contacted.none", nil))
	}
	for _, l := range list {
		fmt.Fprintf(w, "%s  %s", l.Last.Local().Format(time.DateTime), l.Addr)
		if l.Name != "" {
			fmt.Fprintf(w, "  %s", l.Name)
		}
		fmt.Fprintf(w, "  (%d×)\n    %s\n    %s\n", l.Count, l.Why,
			words.Text(lang, "contacted.learns", map[string]string{"learns": l.Learns}))
	}
}

// doctorSettles is how long a profile that the doctor itself had to start may take
// to find its contacts and nodes before it is looked at.
const doctorSettles = 5 * time.Second

func doctor(f *pflag.FlagSet) action {
	opts := serveOptions(f)
	return func(ctx context.Context, e *env, _ []string) error {
		s, err := run.AttachOrOpen(ctx, opts(e))
		if err != nil {
			return err
		}
		if s.Instance == nil {
			return errors.Join(e.examine(ctx, s), s.Close())
		}
		up := make(chan struct{})
		return serveWhile(ctx, s, func() { close(up) }, func(ctx context.Context) error {
			if err := settle(ctx, up); err != nil {
				return err
			}
			return e.examine(ctx, s)
		})
	}
}

// settle waits until a network that comes up has come to rest.
func settle(ctx context.Context, up <-chan struct{}) error {
	select {
	case <-up:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-time.After(doctorSettles):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finding is a check as scripts see it. It holds no secrets: no ids, no names, and
// no addresses but this computer's.
type finding struct {
	Check  string     `json:"check"`
	OK     bool       `json:"ok"` // false if something does not work
	Level  core.Level `json:"level"`
	Code   string     `json:"code"`
	Says   string     `json:"says"`
	Advice string     `json:"advice"`
}

func newFinding(lang string, c core.Check) finding {
	key := "doctor." + c.Check + "." + c.Code
	return finding{
		Check: c.Check, OK: c.Level != core.LevelBad, Level: c.Level, Code: c.Code,
		Says: words.Text(lang, key, c.Params), Advice: words.Text(lang, key+".advice", c.Params),
	}
}

// examine prints what the doctor finds, and fails if something is wrong.
func (e *env) examine(ctx context.Context, c core.Client) error {
	lang, err := language(ctx, c)
	if err != nil {
		return err
	}
	checks, err := c.Diagnose(ctx)
	if err != nil {
		return err
	}
	out, bad := []finding{}, 0
	for _, check := range checks {
		f := newFinding(lang, check)
		if !f.OK {
			bad++
		}
		out = append(out, f)
	}
	if err := e.show(out, func(w io.Writer) { printFindings(w, lang, out) }); err != nil || bad == 0 {
		return err
	}
	return refusal{fmt.Sprintf("%d of %d checks found something wrong", bad, len(out)), "follow the advice beside them", exitFailed}
}

func printFindings(w io.Writer, lang string, list []finding) {
	var rows [][]string
	for _, f := range list {
		rows = append(rows, []string{
			words.Text(lang, "doctor.level."+string(f.Level), nil), words.Text(lang, "doctor."+f.Check+".title", nil), f.Says,
		})
		if f.Advice != "" {
			rows = append(rows, []string{"", "", "→ " + f.Advice})
		}
	}
	table(w, rows)
}
