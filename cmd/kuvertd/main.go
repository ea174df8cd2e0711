// Command kuvertd is Kuvert without a window: the command line, the client for
// scripts and bots, and a client that runs on a machine nobody sits at.
//
// Each command attaches to the running instance of its profile, or opens the
// profile itself for as long as it takes. The names, flags, fields of --json and
// exit codes are a contract with scripts: they may grow, but do not change.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kuvert-im/kuvert/app/run"
)

func main() {
	run.Frugal()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, &env{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}
