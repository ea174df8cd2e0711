package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

var profileCommands = []command{
	{name: "init", args: "--name NAME [--lan-only] [--keyring]", says: "Make a profile", setup: initProfile},
	{name: "serve", args: "[--listen HOST:PORT] [--no-discovery]", says: "Run the client without a window until it is told to end", long: true, setup: serve},
	{name: "whoami", says: "Print my name and id", setup: whoami},
	{name: "settings", args: "get [KEY] | set KEY VALUE", says: "Print or change settings", min: 1, max: 3, setup: settings},
}

func initProfile(f *pflag.FlagSet) action {
	name := f.String("name", "", "my name, as contacts see it")
	lanOnly := f.Bool("lan-only", false, "never leave this network")
	keyring := f.Bool("keyring", false, "let the system's keyring open the profile as well as the passphrase")
	return func(ctx context.Context, e *env, _ []string) error {
		if *name == "" {
			return usagef("--name is missing")
		}
		p := core.NewProfile{Name: *name, Network: core.NetworkInternet}
		if *lanOnly {
			p.Network = core.NetworkLAN
		}
		how := run.Protection{Passphrase: e.unlock.Passphrase, KeyFile: e.unlock.KeyFile, Keyring: *keyring}
		if err := run.Create(ctx, e.profile, p, how); err != nil {
			return err
		}
		return e.with(ctx, func(c core.Client) error { return e.showProfile(ctx, c, "Made the profile of") })
	}
}

func (e *env) showProfile(ctx context.Context, c core.Client, says string) error {
	me, err := c.Whoami(ctx)
	if err != nil {
		return err
	}
	return e.line(me, "%s %s (%s)", says, me.Name, me.ID)
}

func whoami(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, _ []string) error {
		return e.with(ctx, func(c core.Client) error { return e.showProfile(ctx, c, "I am") })
	}
}

// serveOptions are the flags of what runs a profile.
func serveOptions(f *pflag.FlagSet) func(*env) run.Options {
	listen := f.String("listen", "", "HOST:PORT to listen on; HOST is empty or 127.0.0.1")
	alone := f.Bool("no-discovery", false, "neither announce this computer in the network nor look for others")
	return func(e *env) run.Options {
		return run.Options{Dir: e.profile, Unlock: e.unlock, Listen: *listen, NoDiscovery: *alone}
	}
}

func serve(f *pflag.FlagSet) action {
	opts := serveOptions(f)
	return func(ctx context.Context, e *env, _ []string) error {
		inst, err := run.Open(ctx, opts(e))
		if err != nil {
			return err
		}
		return inst.Run(ctx, func() { e.serving(ctx, inst.Client()) })
	}
}

// serving is what serve prints when it is ready.
type serving struct {
	core.Profile
	Port    int      `json:"port"`
	Addrs   []string `json:"addrs"`
	Trouble string   `json:"trouble"` // one of core's Trouble values, or ""
}

// troubles says what a state of the network means.
var troubles = map[string]string{
	core.TroubleNoNetwork: "There is no network now; messages wait until there is one.",
	core.TroublePort:      "The usual port is in use by another program, so another one is used; contacts learn it by themselves.",
	core.TroubleMulticast: "Multicast does not work in this network; others here are found by their addresses, or not at all.",
	core.TroubleDiskFull:  "The disk is full; nothing can be sent or received until there is room.",
	core.TroubleDatabase:  "The profile's database is damaged; nothing can be sent or received.",
}

func (e *env) serving(ctx context.Context, c core.Client) {
	me, err := c.Whoami(ctx)
	if err != nil {
		return // ctx ended, or the store did and Run tells it
	}
	net, err := c.Network(ctx)
	if err != nil {
		return
	}
	_ = e.show(serving{me, net.Port, net.Addrs, net.Trouble}, func(w io.Writer) {
		fmt.Fprintf(w, "Kuvert runs for %s on port %d. Ctrl+C ends it.\n", me.Name, net.Port)
		if says := troubles[net.Trouble]; says != "" {
			fmt.Fprintln(w, says)
		}
	})
}

func settings(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		switch {
		case args[0] == "get" && len(args) <= 2:
			return e.with(ctx, func(c core.Client) error { return e.getSettings(ctx, c, args[1:]) })
		case args[0] == "set" && len(args) == 3:
			return e.with(ctx, func(c core.Client) error {
				if err := c.SetSetting(ctx, args[1], args[2]); err != nil {
					return err
				}
				return e.getSettings(ctx, c, args[1:2])
			})
		default:
			return usagef("settings wants get [KEY] or set KEY VALUE")
		}
	}
}

func (e *env) getSettings(ctx context.Context, c core.Client, keys []string) error {
	all, err := c.Settings(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 1 {
		v, ok := all[keys[0]]
		if !ok {
			return fmt.Errorf("setting %q: %w", keys[0], chat.ErrUnsupported)
		}
		return e.line(map[string]string{keys[0]: v}, "%s", v)
	}
	return e.show(all, func(w io.Writer) {
		var rows [][]string
		for k, v := range all {
			rows = append(rows, []string{k, v})
		}
		slices.SortFunc(rows, slices.Compare)
		table(w, rows)
	})
}
