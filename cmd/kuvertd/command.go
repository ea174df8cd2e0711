package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// defaultTimeout bounds every command that is not meant to run on.
const defaultTimeout = 30 * time.Second

// env is what a command has to do with the world.
type env struct {
	in       io.Reader
	out, err io.Writer

	profile string
	json    bool
	timeout time.Duration

	passphraseFile, keyFile, sheetFile string     // as the flags name them
	unlock                             run.Unlock // what they say
}

// action carries out a command.
type action func(ctx context.Context, e *env, args []string) error

// command is one command of the program.
type command struct {
	name     string
	args     string // as the help shows them
	says     string
	min, max int  // number of arguments
	long     bool // runs until it is told to end
	setup    func(*pflag.FlagSet) action
}

// commands in the order in which the help shows them.
func commands() []command {
	return slices.Concat(profileCommands, vaultCommands, backupCommands, peopleCommands, messageCommands, lifetimeCommands, salvageCommands, fileCommands, networkCommands, nodeCommands, rightsCommands)
}

// errUsage is wrong use; its text says what is wrong.
type errUsage struct{ text string }

func (e errUsage) Error() string { return e.text }

func usagef(format string, args ...any) error { return errUsage{fmt.Sprintf(format, args...)} }

// execute runs the command that args name and returns the exit code.
func execute(ctx context.Context, e *env, args []string) int {
	err := e.dispatch(ctx, args)
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return exitDone
	}
	f := explain(err)
	if e.json {
		_ = json.NewEncoder(e.err).Encode(f)
	} else {
		fmt.Fprintln(e.err, "kuvertd:", f.sentence())
	}
	return f.code
}

func (e *env) dispatch(ctx context.Context, args []string) error {
	top := e.flags("kuvertd")
	top.SetInterspersed(false)
	if err := parse(top, args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			e.help()
		}
		return err
	}
	if top.NArg() == 0 {
		e.help()
		return usagef("a command is missing")
	}
	name, rest := top.Arg(0), top.Args()[1:]
	if name == "help" {
		e.help()
		return nil
	}
	for _, c := range commands() {
		if c.name == name {
			return e.run(ctx, c, rest)
		}
	}
	return usagef("there is no command %q", name)
}

// flags are those that every command has.
func (e *env) flags(name string) *pflag.FlagSet {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	if e.timeout == 0 {
		e.timeout = defaultTimeout
	}
	f.StringVar(&e.profile, "profile", e.profile, "folder of the profile")
	f.BoolVar(&e.json, "json", e.json, "print JSON")
	f.StringVar(&e.passphraseFile, "passphrase-file", e.passphraseFile, "file with the profile's passphrase on its first line")
	f.StringVar(&e.keyFile, "key-file", e.keyFile, "file with a key of the profile, mode 0600")
	f.StringVar(&e.sheetFile, "sheet-file", e.sheetFile, "file with the key of the emergency sheet")
	f.DurationVar(&e.timeout, "timeout", e.timeout, "how long the command may take")
	return f
}

func parse(f *pflag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		return usagef("%s", err.Error())
	}
	return err
}

func (e *env) run(ctx context.Context, c command, args []string) error {
	f := e.flags(c.name)
	do := c.setup(f)
	if err := parse(f, args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			fmt.Fprintf(e.out, "kuvertd %s %s\n\n%s.\n\n%s", c.name, c.args, c.says, f.FlagUsages())
		}
		return err
	}
	if n := f.NArg(); n < c.min || n > c.max {
		return usagef("wrong number of arguments: kuvertd %s %s", c.name, c.args)
	}
	if err := e.readUnlock(); err != nil {
		return err
	}
	if !c.long {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.timeout)
		defer cancel()
	}
	return do(ctx, e, f.Args())
}

func (e *env) help() {
	fmt.Fprintf(e.out, "Kuvert without a window. Every command takes --profile DIR and --json,\nand --passphrase-file FILE for a profile that asks for its passphrase.\n\n")
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(w, "kuvertd %s %s\t%s\n", c.name, c.args, c.says)
	}
	_ = w.Flush()
}

// with runs do with the profile's client: the running instance's, or one that is
// opened for this alone.
func (e *env) with(ctx context.Context, do func(core.Client) error) error {
	return e.withState(ctx, func(c core.Client, _ bool) error { return do(c) })
}

// withState is with for a command that must know whether Kuvert runs: one opened
// for the command alone has no network.
func (e *env) withState(ctx context.Context, do func(c core.Client, runs bool) error) error {
	s, err := run.AttachOrOpen(ctx, run.Options{Dir: e.profile, Offline: true, Unlock: e.unlock})
	if err != nil {
		return err
	}
	return errors.Join(do(s, s.Instance == nil), s.Close())
}

// show prints v as one line of JSON, or what human writes.
func (e *env) show(v any, human func(w io.Writer)) error {
	if !e.json {
		human(e.out)
		return nil
	}
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// line prints v as JSON, or one line of text.
func (e *env) line(v any, format string, args ...any) error {
	return e.show(v, func(w io.Writer) { fmt.Fprintf(w, format+"\n", args...) })
}

// table prints rows of cells in columns.
func table(w io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	_ = t.Flush()
}
