package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/gdpr"
	"github.com/kuvert-im/kuvert/app/run"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

var rightsCommands = []command{
	{name: "export", args: "--all|--contact CONTACT DIR [--format html,json]", says: "Write everything that is kept, or all about one person, into a folder", min: 1, max: 1, long: true, setup: export},
	{name: "erase", args: "CONTACT --yes [--requested] | --log", says: "Erase a person with all traces; show the signed deletion log", min: 0, max: 1, long: true, setup: erase},
	{name: "documents", args: "DIR [--lang de|en]", says: "Write the documents for data protection, filled with this profile's settings", min: 1, max: 1, setup: documents},
}

func ownFolder(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("%w: %w", chat.ErrFileAccess, err)
	}
	return abs, nil
}

func gdprError(err error) error {
	switch {
	case errors.Is(err, gdpr.ErrNotEmpty):
		return refusal{"the folder is not empty", "name another one", exitRefused}
	case errors.Is(err, gdpr.ErrIncomplete):
		return refusal{"what was written is not complete", "remove the folder and try again", exitFailed}
	}
	return err
}

func export(f *pflag.FlagSet) action {
	all := f.Bool("all", false, "everything that is kept")
	who := f.String("contact", "", "all about this person alone")
	format := f.StringSlice("format", []string{"html", "json"}, "html, json or both")
	return func(ctx context.Context, e *env, args []string) error {
		if *all == (*who != "") {
			return usagef("say either --all or --contact CONTACT")
		}
		o := gdpr.Options{Now: time.Now()}
		for _, name := range *format {
			switch name {
			case "html":
				o.HTML = true
			case "json":
				o.JSON = true
			default:
				return usagef("there is no format %q: html or json", name)
			}
		}
		var err error
		if o.Dir, err = ownFolder(args[0]); err != nil {
			return err
		}
		return e.with(ctx, func(c core.Client) error {
			if *who != "" {
				id, _, err := subject(ctx, c, *who)
				if err != nil {
					return err
				}
				o.Person = &id
			}
			if o.Language, err = language(ctx, c); err != nil {
				return err
			}
			r, err := gdpr.Export(ctx, c, o)
			if err != nil {
				return gdprError(err)
			}
			return e.line(r, "Written to %s: %d people, %d messages and notices, %d files; %d files are not on this computer. Nothing in this folder is encrypted.",
				r.Dir, r.People, r.Messages, r.Files, r.Missing)
		})
	}
}

// subject finds a contact, or somebody who asks to become one.
func subject(ctx context.Context, c core.Client, arg string) (chat.PersonID, string, error) {
	ct, err := contact(ctx, c, arg)
	if !errors.Is(err, chat.ErrNotFound) {
		return ct.ID, ct.Name, err
	}
	r, err := request(ctx, c, arg)
	return r.ID, r.Name, err
}

func erase(f *pflag.FlagSet) action {
	yes := f.Bool("yes", false, "really erase; it cannot be undone")
	requested := f.Bool("requested", false, "the person asked for it (Art. 17 GDPR)")
	log := f.Bool("log", false, "show the deletion log and check its signatures")
	return func(ctx context.Context, e *env, args []string) error {
		if *log == (len(args) == 1) {
			return usagef("say either CONTACT or --log")
		}
		return e.with(ctx, func(c core.Client) error {
			if *log {
				return e.erasures(ctx, c)
			}
			id, name, err := subject(ctx, c, args[0])
			if err != nil {
				return err
			}
			if !*yes {
				return e.sayErase(ctx, c, id, name)
			}
			reason := core.ErasedByChoice
			if *requested {
				reason = core.ErasedOnRequest
			}
			done, err := c.Erase(ctx, id, reason)
			if err != nil {
				return err
			}
			return e.line(done, "Erased: %d messages and notices, %d files, %d mailbox queues. Entry %d of the deletion log.",
				done.Messages, done.Files, done.Queues, done.Entry.Number)
		})
	}
}

// sayErase says what would happen.
func (e *env) sayErase(ctx context.Context, c core.Client, id chat.PersonID, name string) error {
	r, err := c.PersonRecord(ctx, id)
	if err != nil {
		return err
	}
	lang, err := language(ctx, c)
	if err != nil {
		return err
	}
	if !e.json {
		fmt.Fprintln(e.out, words.Text(lang, "gdpr.erase.confirm", map[string]string{"name": name, "messages": fmt.Sprint(r.Messages)}))
	}
	return refusal{"nothing was erased", "say it again with --yes", exitRefused}
}

// erasures prints the deletion log.
func (e *env) erasures(ctx context.Context, c core.Client) error {
	l, err := c.ErasureLog(ctx)
	if err != nil {
		return err
	}
	bad := core.VerifyErasures(l)
	out := struct {
		core.ErasureLog
		Valid bool `json:"valid"`
	}{l, bad == nil}
	err = e.show(out, func(w io.Writer) {
		for _, en := range l.Entries {
			fmt.Fprintf(w, "%d  %s  %s  %s  %x\n", en.Number, en.At.Format(time.RFC3339), en.Kind, en.Reason, []byte(en.Subject))
		}
	})
	if bad != nil {
		return refusal{"the deletion log was changed after it was signed", "compare it with an earlier export", exitFailed}
	}
	return err
}

func documents(f *pflag.FlagSet) action {
	lang := f.String("lang", "", "de or en; else the profile's language")
	return func(ctx context.Context, e *env, args []string) error {
		if *lang != "" && *lang != words.German && *lang != words.English {
			return usagef("there is no language %q: de or en", *lang)
		}
		dir, err := ownFolder(args[0])
		if err != nil {
			return err
		}
		lock, err := run.Ways(e.profile)
		if err != nil {
			return err
		}
		return e.with(ctx, func(c core.Client) error {
			chosen := *lang
			if chosen == "" {
				if chosen, err = language(ctx, c); err != nil {
					return err
				}
			}
			facts, err := gdpr.Gather(ctx, c, time.Now())
			if err != nil {
				return err
			}
			facts.Passphrase, facts.Keyring, facts.KeyFile, facts.Sheet = lock.Passphrase, lock.Keyring, lock.KeyFile, lock.Sheet
			names, err := gdpr.WriteDocuments(dir, chosen, facts)
			if err != nil {
				return gdprError(err)
			}
			return e.line(map[string]any{"dir": dir, "files": names}, "Written to %s: %s. They are templates to check and complete, not legal advice.", dir, strings.Join(names, ", "))
		})
	}
}
