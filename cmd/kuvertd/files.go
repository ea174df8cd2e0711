package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

var fileCommands = []command{
	{name: "file", args: "MESSAGE [--n N] [--fetch | --pause]", says: "Tell how it stands with a file of a message; fetch it, or stop that", min: 1, max: 1, setup: file},
	{name: "save", args: "MESSAGE [--n N] [--replace] FILE", says: "Save a file of a message", min: 2, max: 2, setup: save},
	{name: "files", args: "[--clean DAYS]", says: "Tell what files take; remove those of messages older than DAYS", min: 0, max: 0, setup: files},
}

// attachmentLine is a file of a message as scripts see it.
type attachmentLine struct {
	Name      string         `json:"name"`
	Size      int64          `json:"size"`
	MediaType string         `json:"media_type"`
	SHA256    chat.FileHash  `json:"sha256"`
	State     chat.FileState `json:"state"`
}

func attachmentLines(list []chat.Attachment) []attachmentLine {
	out := []attachmentLine{}
	for _, a := range list {
		out = append(out, attachmentLine{a.Name, a.Size, a.MediaType, a.SHA256, a.State})
	}
	return out
}

// showFiles prints a message's files below it.
func showFiles(w io.Writer, list []attachmentLine) {
	for i, a := range list {
		fmt.Fprintf(w, "    file %d: %s, %d bytes, %s\n", i, chat.ShownFileName(a.Name), a.Size, a.State)
	}
}

// ownFiles makes the paths of files to send absolute: another process may open
// them.
func ownFiles(paths []string) ([]string, error) {
	var out []string
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", chat.ErrFileAccess, err)
		}
		out = append(out, abs)
	}
	return out, nil
}

// fileLine is how it stands with a file, for scripts.
type fileLine struct {
	attachmentLine
	Got       int64 `json:"got"`
	Total     int64 `json:"total"`
	Active    bool  `json:"active"`
	Speed     int64 `json:"speed"`
	Remaining int   `json:"remaining"` // seconds
	Given     int64 `json:"given"`
}

func file(f *pflag.FlagSet) action {
	n := f.Int("n", 0, "which file of the message, from 0")
	fetch := f.Bool("fetch", false, "fetch it, or go on")
	pause := f.Bool("pause", false, "stop fetching it")
	return func(ctx context.Context, e *env, args []string) error {
		if *fetch && *pause {
			return usagef("--fetch and --pause exclude each other")
		}
		id, err := messageID(args[0])
		if err != nil {
			return err
		}
		return e.with(ctx, func(c core.Client) error {
			switch {
			case *fetch:
				err = c.FetchFile(ctx, id, *n)
			case *pause:
				err = c.PauseFile(ctx, id, *n)
			}
			if err != nil {
				return err
			}
			info, err := c.File(ctx, id, *n)
			if err != nil {
				return err
			}
			l := fileLine{attachmentLines([]chat.Attachment{info.File})[0], info.Got, info.Total, info.Active, info.Speed, int(info.Remaining / time.Second), info.Given}
			return e.line(l, "%s: %s, %d of %d bytes are here", chat.ShownFileName(l.Name), l.State, l.Got, l.Total)
		})
	}
}

func save(f *pflag.FlagSet) action {
	n := f.Int("n", 0, "which file of the message, from 0")
	replace := f.Bool("replace", false, "replace FILE if there is one")
	return func(ctx context.Context, e *env, args []string) error {
		id, err := messageID(args[0])
		if err != nil {
			return err
		}
		path, err := filepath.Abs(args[1])
		if err != nil {
			return fmt.Errorf("%w: %w", chat.ErrFileAccess, err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) && !*replace {
			return refusal{"there is such a file already", "choose another name, or say --replace", exitRefused}
		}
		return e.with(ctx, func(c core.Client) error {
			if err := c.SaveFile(ctx, id, *n, path); err != nil {
				return err
			}
			return e.line(map[string]string{"file": path}, "Saved.")
		})
	}
}

func files(f *pflag.FlagSet) action {
	clean := f.Int("clean", -1, "remove the files of messages older than so many days from this computer")
	return func(ctx context.Context, e *env, _ []string) error {
		return e.with(ctx, func(c core.Client) error {
			var freed int64
			if *clean >= 0 {
				var err error
				if freed, err = c.CleanFiles(ctx, time.Now().Add(-time.Duration(*clean)*24*time.Hour)); err != nil {
					return err
				}
			}
			u, err := c.FileUsage(ctx)
			if err != nil {
				return err
			}
			return e.line(map[string]int64{"bytes": u.Bytes, "quota": u.Quota, "freed": freed}, "Files take %d bytes; %d were freed.", u.Bytes, freed)
		})
	}
}
