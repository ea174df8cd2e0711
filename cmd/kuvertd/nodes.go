package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/qr"
)

// standings are the words for how it stands with a node.
var standings = map[core.NodeStanding]string{
	core.NodeConnected:   "connected",
	core.NodeConnecting:  "being looked for",
	core.NodeUnreachable: "not reachable",
	core.NodeRefused:     "its access link is not valid any more",
	core.NodeOutside:     "not in this network, so not used",
	core.NodeFull:        "full",
	standingNotRunning:   "not known, since Kuvert does not run",
}

// standingNotRunning is what a command says of a node while nobody runs the
// profile.
const standingNotRunning core.NodeStanding = "not_running"

// nodeIDShown is how much of a node's id a table shows, in characters; any
// unambiguous beginning is taken.
const nodeIDShown = 16

func nodes(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		switch {
		case len(args) == 0:
			return e.withState(ctx, func(c core.Client, runs bool) error { return e.listNodes(ctx, c, runs) })
		case args[0] == "add" && len(args) == 2:
			return e.addNode(ctx, args[1])
		case args[0] == "remove" && len(args) == 2:
			return e.with(ctx, func(c core.Client) error { return e.removeNode(ctx, c, args[1]) })
		default:
			return usagef("nodes wants nothing, add LINK|FILE or remove NODE")
		}
	}
}

// nodeLine is a node as scripts see it; the keeper of an own one is null.
type nodeLine struct {
	core.NodeInfo
	Keeper *chat.PersonID `json:"keeper"`
}

func newNodeLine(n core.NodeInfo, runs bool) nodeLine {
	n.AddedAt = n.AddedAt.UTC()
	if !runs {
		n.State = standingNotRunning
	}
	l := nodeLine{NodeInfo: n}
	if !n.Keeper.IsZero() {
		l.Keeper = &n.Keeper
	}
	return l
}

func (e *env) listNodes(ctx context.Context, c core.Client, runs bool) error {
	list, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	out := []nodeLine{}
	for _, n := range list {
		out = append(out, newNodeLine(n, runs))
	}
	return e.show(out, func(w io.Writer) {
		var rows [][]string
		for _, l := range out {
			rows = append(rows, []string{shortNodeID(l.ID), strings.Join(l.Addrs, " "), l.whose(), l.standing()})
		}
		table(w, rows)
	})
}

func shortNodeID(id string) string { return id[:min(len(id), nodeIDShown)] }

// whose says whose computer a node is.
func (l nodeLine) whose() string {
	switch {
	case l.Keeper == nil:
		return "own"
	case l.KeeperName == "":
		return "a contact's"
	}
	return l.KeeperName + "'s"
}

// standing says how it stands with a node.
func (l nodeLine) standing() string {
	s := standings[l.State]
	if l.Relay {
		s += ", passes connections on"
	}
	if l.Quota > 0 {
		s += fmt.Sprintf(", %d of %d MB used", l.Used/1e6, l.Quota/1e6)
	}
	return s
}

func (e *env) addNode(ctx context.Context, arg string) error {
	link, err := readNodeLink(ctx, arg)
	if err != nil {
		return err
	}
	return e.withState(ctx, func(c core.Client, runs bool) error { return e.putNode(ctx, c, runs, link) })
}

func readNodeLink(ctx context.Context, arg string) (string, error) {
	link, err := readCode(ctx, arg)
	if err == nil && qr.IsInvitation(link) {
		err = refusal{"this is an invitation, not a node's access link", "accept it with kuvertd accept", exitUsage}
	}
	return link, err
}

func (e *env) putNode(ctx context.Context, c core.Client, runs bool, link string) error {
	n, err := c.AddNode(ctx, link)
	if errors.Is(err, chat.ErrTooLong) {
		return refusal{"there are as many nodes already as Kuvert uses", "remove one with kuvertd nodes remove", exitRefused}
	}
	if err != nil {
		return err
	}
	at := ""
	if len(n.Addrs) > 0 {
		at = " at " + strings.Join(n.Addrs, " ")
	}
	return e.line(newNodeLine(n, runs), "Added the node %s%s.", shortNodeID(n.ID), at)
}

func (e *env) removeNode(ctx context.Context, c core.Client, arg string) error {
	list, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	var all []candidate[core.NodeInfo]
	for _, n := range list {
		all = append(all, candidate[core.NodeInfo]{append([]string{n.ID}, n.Addrs...), n.KeeperName, n})
	}
	n, err := pick(arg, all)
	if errors.Is(err, chat.ErrNotFound) {
		return refusal{"no node fits", "look at kuvertd nodes for what there is", exitNotFound}
	}
	if err != nil {
		return err
	}
	if err := c.RemoveNode(ctx, n.ID); err != nil {
		return err
	}
	return e.line(map[string]string{"id": n.ID}, "Removed the node %s.", shortNodeID(n.ID))
}
