package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/kuvert-im/kuvert/app/core"
)

// method decodes a call's parameters, calls the client and returns its answer.
type method func(ctx context.Context, c core.Client, params []json.RawMessage) (any, error)

// methods is all that may be called, besides Subscribe, which answers with a
// stream, and RequestWindow, which is not the core's.
var methods = map[string]method{
	"Whoami":     get(core.Client.Whoami),
	"Settings":   get(core.Client.Settings),
	"SetSetting": do2(core.Client.SetSetting),
	"Network":    get(core.Client.Network),

	"Contacts":      get(core.Client.Contacts),
	"Contact":       get1(core.Client.Contact),
	"Rename":        do2(core.Client.Rename),
	"Safety":        get1(core.Client.Safety),
	"Verify":        do1(core.Client.Verify),
	"SetBlocked":    do2(core.Client.SetBlocked),
	"Requests":      get(core.Client.Requests),
	"AnswerRequest": do2(core.Client.AnswerRequest),

	"Conversations": get(core.Client.Conversations),
	"Conversation":  get1(core.Client.Conversation),
	"Messages":      get1(core.Client.Messages),
	"Message":       get1(core.Client.Message),
	"Send":          get2(core.Client.Send),
	"Resend":        do1(core.Client.Resend),
	"MarkRead":      do2(core.Client.MarkRead),
	"SaveDraft":     do2(core.Client.SaveDraft),
	"Delivery":      get1(core.Client.Delivery),
	"Search":        get1(core.Client.Search),

	"SetTimer":          do2(core.Client.SetTimer),
	"DeleteMessage":     do1(core.Client.DeleteMessage),
	"ClearConversation": do1(core.Client.ClearConversation),

	"File":        get2(core.Client.File),
	"FilePicture": get2(core.Client.FilePicture),
	"FileView":    get2(core.Client.FileView),
	"FetchFile":   do2(core.Client.FetchFile),
	"PauseFile":   do2(core.Client.PauseFile),
	"SaveFile":    do3(core.Client.SaveFile),
	"FileUsage":   get(core.Client.FileUsage),
	"CleanFiles":  get1(core.Client.CleanFiles),
	"Sealing":     get(core.Client.Sealing),

	"Erase":        get2(core.Client.Erase),
	"ErasureLog":   get(core.Client.ErasureLog),
	"PersonRecord": get1(core.Client.PersonRecord),
	"Holdings":     get(core.Client.Holdings),

	"Invite":  get1(core.Client.Invite),
	"Issued":  get(core.Client.Issued),
	"Revoke":  do1(core.Client.Revoke),
	"Inspect": get1(core.Client.Inspect),
	"Accept":  get2(core.Client.Accept),

	"Nearby":   get(core.Client.Nearby),
	"Pair":     get1(core.Client.Pair),
	"Pairings": get(core.Client.Pairings),
	"Confirm":  do2(core.Client.Confirm),

	"Nodes":      get(core.Client.Nodes),
	"AddNode":    get1(core.Client.AddNode),
	"RemoveNode": do1(core.Client.RemoveNode),
	"Contacted":  get(core.Client.Contacted),
	"Diagnose":   get(core.Client.Diagnose),
	"KeptMail":   get(core.Client.KeptMail),

	"BackupSize":   get(core.Client.BackupSize),
	"Backup":       get1(core.Client.Backup),
	"BackupNow":    get(core.Client.BackupNow),
	"BackupStatus": get(core.Client.BackupStatus),
	"SetBackup":    do1(core.Client.SetBackup),
	"Move":         get1(core.Client.Move),
}

const (
	subscribe     = "Subscribe"
	requestWindow = "RequestWindow"
)

// get and do adapt the shapes that the client's methods have: with or without an
// answer, with none, one or two parameters.

func get[R any](f func(core.Client, context.Context) (R, error)) method {
	return func(ctx context.Context, c core.Client, params []json.RawMessage) (any, error) {
		if err := decode(params); err != nil {
			return nil, err
		}
		return f(c, ctx)
	}
}

func get1[A, R any](f func(core.Client, context.Context, A) (R, error)) method {
	return func(ctx context.Context, c core.Client, params []json.RawMessage) (any, error) {
		var a A
		if err := decode(params, &a); err != nil {
			return nil, err
		}
		return f(c, ctx, a)
	}
}

func get2[A, B, R any](f func(core.Client, context.Context, A, B) (R, error)) method {
	return func(ctx context.Context, c core.Client, params []json.RawMessage) (any, error) {
		var a A
		var b B
		if err := decode(params, &a, &b); err != nil {
			return nil, err
		}
		return f(c, ctx, a, b)
	}
}

func do1[A any](f func(core.Client, context.Context, A) error) method {
	return get1(func(c core.Client, ctx context.Context, a A) (any, error) {
		return nil, f(c, ctx, a)
	})
}

func do2[A, B any](f func(core.Client, context.Context, A, B) error) method {
	return get2(func(c core.Client, ctx context.Context, a A, b B) (any, error) {
		return nil, f(c, ctx, a, b)
	})
}

func do3[A, B, C any](f func(core.Client, context.Context, A, B, C) error) method {
	return func(ctx context.Context, c core.Client, params []json.RawMessage) (any, error) {
		var a A
		var b B
		var third C
		if err := decode(params, &a, &b, &third); err != nil {
			return nil, err
		}
		return nil, f(c, ctx, a, b, third)
	}
}

func decode(params []json.RawMessage, into ...any) error {
	if len(params) != len(into) {
		return fmt.Errorf("%d parameters instead of %d: %w", len(params), len(into), ErrBadCall)
	}
	for i, v := range into {
		d := json.NewDecoder(bytes.NewReader(params[i]))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			return fmt.Errorf("parameter %d: %w: %w", i+1, ErrBadCall, err)
		}
	}
	return nil
}
