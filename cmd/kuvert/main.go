// Command kuvert is the desktop app: it puts the window, the profile and the
// language together. A second start of the same profile asks the first to show
// its window and ends; a profile that runs headless is attached to.
//
// Usage: kuvert [--profile DIR] [--listen HOST:PORT] [--no-discovery] [--version]
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"fyne.io/fyne/v2/app"
	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/run"
)

// appID is the app's name to the operating system; FyneApp.toml has the same.
const appID = "im.kuvert.Kuvert"

// presentWait is how long the first instance may take to show its window.
const presentWait = 5 * time.Second

// The exit codes, as of kuvertd.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(start(os.Args[1:], os.Stdout, os.Stderr)) }

// flags are what the command line says.
type flags struct {
	options run.Options
	version bool
}

func parse(args []string, stderr io.Writer) (f flags, err error) {
	set := pflag.NewFlagSet("kuvert", pflag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.options.Dir, "profile", "", "the profile's `folder`")
	set.StringVar(&f.options.Listen, "listen", "", "`HOST:PORT` to listen on instead of the port used last")
	set.BoolVar(&f.options.NoDiscovery, "no-discovery", false, "neither announce this computer in the network nor look for others")
	set.BoolVar(&f.version, "version", false, "print the version")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("kuvert: %q is not understood; kuvert --help lists what is", set.Arg(0))
	}
	return f, nil
}

func start(args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stderr)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitUsage
	case f.version:
		fmt.Fprintln(stdout, version())
		return exitDone
	}
	if f.options.Dir, err = folder(f.options.Dir); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if presented(ctx, f.options.Dir) {
		return exitDone
	}
	f.options.Window = true
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := newProgram(app.NewWithID(appID), f.options, log).run(ctx); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitDone
}

// folder is the profile's folder, absolute.
func folder(dir string) (string, error) {
	if dir == "" {
		return run.DefaultDir()
	}
	return filepath.Abs(dir)
}

// presented asks a running instance to show its window; false if there is none
// that has one.
func presented(ctx context.Context, dir string) bool {
	ctx, cancel := context.WithTimeout(ctx, presentWait)
	defer cancel()
	s, err := run.Attach(ctx, dir)
	if err != nil {
		return false
	}
	defer func() { _ = s.Close() }()
	shown, err := s.RequestWindow(ctx)
	return err == nil && shown
}
