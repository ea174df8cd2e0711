package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/run"
)

var nodeCommands = []command{
	{name: "node", args: "--data DIR [--listen ADDR] [--qr FILE.png] …", says: "Run an always-on node: a mailbox, and a relay for those who hold its link", long: true, setup: node},
}

const (
	// nodeListen is where a node listens if nothing else is said.
	nodeListen = "[::]:4040"
	// nodePixels is the width of the picture of the access link.
	nodePixels = 800
)

func node(f *pflag.FlagSet) action {
	var o run.NodeOptions
	f.StringVar(&o.Dir, "data", "", "folder of the node's keys and mail")
	f.StringVar(&o.Listen, "listen", nodeListen, "IP:PORT to listen on, UDP and TCP; no IP means every interface")
	f.StringArrayVar(&o.Announce, "announce", nil, "address of the router that forwards the port, IP:PORT or IP; may be given several times")
	f.BoolVar(&o.NoRelay, "no-relay", false, "keep mail alone, carry no connections")
	quota := f.String("quota", "", "how much mail is kept, in bytes; 500M and 20G are understood, too")
	days := f.Int("retention", 0, "after how many days mail that nobody fetched is deleted")
	f.StringVar(&o.Metrics, "metrics", "", "IP:PORT of this machine alone where counts are told, for example 127.0.0.1:4041")
	picture := f.String("qr", "", "write the access link to a PNG picture")
	f.BoolVar(&o.NewLink, "new-link", false, "make a new access link; the old one is not valid any more")
	return func(ctx context.Context, e *env, _ []string) error {
		if o.Dir == "" {
			return usagef("--data is missing")
		}
		var err error
		if o.Quota, err = bytesOf(*quota); err != nil {
			return err
		}
		if *days < 0 || *days > maxRetention {
			return usagef("--retention takes 1 to %d days", maxRetention)
		}
		o.Retention = time.Duration(*days) * 24 * time.Hour
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		err = run.RunNode(ctx, o, func(r run.NodeReady) {
			if err := e.nodeReady(r, *picture); err != nil {
				stop(err)
			}
		})
		if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return explainNode(err)
	}
}

// maxRetention in days: nobody waits for a message longer than ten years.
const maxRetention = 3650

// bytesOf reads a number of bytes, with K, M, G or T for powers of 1,024.
func bytesOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits := strings.TrimRight(strings.ToUpper(text), "KMGT")
	shift := 0
	if len(digits) == len(text)-1 {
		shift = 10 * (1 + strings.IndexByte("KMGT", strings.ToUpper(text)[len(digits)]))
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || len(digits) < len(text)-1 || n > (1<<62)>>shift {
		return 0, usagef("--quota takes a number of bytes, for example 500M or 20G")
	}
	return n << shift, nil
}

// nodeStarted is what node prints when it listens.
type nodeStarted struct {
	Link    string   `json:"link"`
	ID      string   `json:"id"`
	Addrs   []string `json:"addrs"`
	Metrics string   `json:"metrics,omitempty"`
}

func (e *env) nodeReady(r run.NodeReady, picture string) error {
	code, err := qr.NewMatrix(r.Link)
	if err != nil {
		return fmt.Errorf("draw the access link: %w", err)
	}
	if picture != "" {
		if err := savePicture(picture, code); err != nil {
			return refusal{"the picture cannot be written: " + picture, "name another file with --qr", exitFailed}
		}
	}
	return e.show(nodeStarted{r.Link, r.ID, r.Addrs, r.Metrics}, func(w io.Writer) {
		counts := ""
		if r.Metrics != "" {
			counts = "Counts for this machine alone: " + r.Metrics + "\n"
		}
		fmt.Fprintf(w, nodeSays, code.Terminal(isTerminal(w)), r.Link, strings.Join(r.Addrs, ", "), counts)
	})
}

const nodeSays = `This is a Kuvert node. It keeps sealed messages for people whose computers are
off, and connects computers that cannot reach each other. It can read nothing.

%s
%s

This access link lets in whoever has it: give it only to people who may use this
node. In Kuvert it is entered under Einstellungen → Briefkasten (Settings →
Mailbox): paste the text, or show the picture. A new link, if this one got about:
start with --new-link.

Addresses: %s
%sIt runs until it is told to end (Ctrl+C or SIGTERM).

`

func savePicture(path string, code *qr.Matrix) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(file, code.Image(nodePixels/code.Size())), file.Close())
}

// isTerminal tells whether w shows colours: a terminal, but not that of Windows,
// which shows them only when asked to.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || runtime.GOOS == "windows" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// nodeErrors are said in other words than those of a profile.
var nodeErrors = []struct {
	err error
	refusal
}{
	{chat.ErrProfileBusy, refusal{"another node runs on this data", "end it first, or name another folder with --data", exitBusy}},
	{chat.ErrDiskFull, refusal{"the disk is full", "make room and start again; nothing that was accepted is lost", exitFailed}},
	{run.ErrNodeFolder, refusal{"the folder of the node cannot be made, read or written", "check its owner and its permissions, or name another one with --data", exitFailed}},
	{run.ErrNodeKeys, refusal{"node.json, the file of the node's keys, is damaged", "restore it from a backup; without it people need a new link", exitFailed}},
	{chat.ErrCorrupt, refusal{"the node's database is damaged", "restore the folder from a backup, or move mail.db away to start with an empty one: senders still have what was not delivered", exitFailed}},
	{chat.ErrDisk, refusal{"the disk does not read or write as it should", "check the disk and copy the node's folder to a safe place", exitFailed}},
	{chat.ErrNewerSchema, refusal{"the node's data was written by a newer version of Kuvert", "install that version or a newer one", exitFailed}},
	{chat.ErrPortTaken, refusal{"the port is in use by another program", "end that program, or choose another port with --listen or --metrics", exitFailed}},
	{run.ErrListen, refusal{"--listen is no address of this machine", "give IP:PORT, for example 0.0.0.0:4040 or [::]:4040", exitUsage}},
	{run.ErrAnnounce, refusal{"--announce is no address that others could dial", "give the IP address of the router, with :PORT if it forwards another one", exitUsage}},
	{run.ErrMetrics, refusal{"--metrics is not an address of this machine alone", "give 127.0.0.1:PORT or [::1]:PORT", exitUsage}},
}

func explainNode(err error) error {
	for _, k := range nodeErrors {
		if errors.Is(err, k.err) {
			return k.refusal
		}
	}
	return err
}
