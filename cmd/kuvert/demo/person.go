//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// Where things are in a window, in pixels. The pictures show whether it is true.
const (
	windowWidth, windowHeight = 1100, 720
	firstRowX, firstRowY      = 160, 172
	composerX, composerY      = 700, 690
)

// person is one of the two: a profile, its window, and a line to the core in it.
type person struct {
	core.Client
	id          chat.PersonID
	name, short string

	demo   *demo
	dir    string
	x      int // where the window stands
	cmd    *exec.Cmd
	window string
	opened bool // the conversation is on the screen
}

// person makes a profile.
func (d *demo) person(ctx context.Context, work, name string, x int) (*person, error) {
	short := strings.ToLower(strings.Fields(name)[0])
	p := &person{name: name, short: short, demo: d, dir: filepath.Join(work, short), x: x}
	err := run.Create(ctx, p.dir, core.NewProfile{Name: name, Network: core.NetworkLAN, Language: "de"}, run.Protection{})
	return p, err
}

// start opens the window in a look and waits until it is there.
func (p *person) start(ctx context.Context, l look) error {
	p.opened = false
	if err := p.dress(ctx, l); err != nil {
		return err
	}
	p.cmd = exec.Command(p.demo.binary, "--profile", p.dir, "--listen", "127.0.0.1:0", "--no-discovery")
	p.cmd.Env = append(p.demo.screen.env(), "XDG_CONFIG_HOME="+p.dir+"-config")
	log, err := os.OpenFile(filepath.Join(p.demo.out, p.short+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the program has its own descriptor
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	var session *run.Session
	err = await(ctx, "the program of "+p.name, func() (ok bool, err error) {
		session, err = run.Attach(ctx, p.dir)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	p.Client = session
	me, err := p.Whoami(ctx)
	if err != nil {
		return err
	}
	p.id = me.ID
	return p.place(ctx)
}

// dress sets theme and language while the window is closed.
func (p *person) dress(ctx context.Context, l look) error {
	s, err := run.AttachOrOpen(ctx, run.Options{Dir: p.dir, Offline: true})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := s.SetSetting(ctx, core.SettingTheme, l.theme); err != nil {
		return err
	}
	return s.SetSetting(ctx, core.SettingLanguage, l.language)
}

// place waits for the window and puts it beside the other one.
func (p *person) place(ctx context.Context) error {
	err := await(ctx, "the window of "+p.name, func() (bool, error) {
		out, err := p.demo.screen.do(ctx, "xdotool", "search", "--onlyvisible", "--pid", strconv.Itoa(p.cmd.Process.Pid))
		ids := strings.Fields(out)
		if err != nil || len(ids) == 0 {
			return false, err
		}
		p.window = ids[len(ids)-1]
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"windowsize", p.window, strconv.Itoa(windowWidth), strconv.Itoa(windowHeight)},
		{"windowmove", p.window, strconv.Itoa(p.x), "0"},
	} {
		if _, err := p.demo.screen.do(ctx, "xdotool", args...); err != nil {
			return err
		}
	}
	return p.settle(ctx)
}

func (p *person) stop() error {
	if s, ok := p.Client.(*run.Session); ok {
		_ = s.Close()
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s's window ended with: %w", p.name, err)
		}
		return nil
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("%s's window did not end", p.name)
	}
}

// openConversation clicks the first row of the list, until the window shows that
// it was understood: something above the list may just have moved it.
func (p *person) openConversation(ctx context.Context) error {
	if p.opened {
		return nil
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	before, err := p.look(ctx)
	if err != nil {
		return err
	}
	err = await(ctx, "the conversation in the window of "+p.name, func() (bool, error) {
		if err := p.click(ctx, firstRowX, firstRowY); err != nil {
			return false, err
		}
		if err := p.settle(ctx); err != nil {
			return false, err
		}
		now, err := p.look(ctx)
		return now != before, err
	})
	p.opened = err == nil
	return err
}

// look is a fingerprint of what the right half of the window shows.
func (p *person) look(ctx context.Context) (string, error) {
	return p.demo.screen.do(ctx, "import", "-silent", "-window", p.window, "-crop", "600x400+400+60", "+repage", "-depth", "8", "-format", "%#", "info:")
}

// typeText writes into the composer, key by key, and sends.
func (p *person) typeText(ctx context.Context, text string) error {
	if err := p.click(ctx, composerX, composerY); err != nil {
		return err
	}
	if _, err := p.demo.screen.do(ctx, "xdotool", "type", "--delay", "12", text); err != nil {
		return err
	}
	_, err := p.demo.screen.do(ctx, "xdotool", "key", "Return")
	return err
}

func (p *person) click(ctx context.Context, x, y int) error {
	for _, args := range [][]string{
		{"windowfocus", "--sync", p.window},
		{"mousemove", "--window", p.window, strconv.Itoa(x), strconv.Itoa(y)},
		{"click", "1"},
	} {
		if _, err := p.demo.screen.do(ctx, "xdotool", args...); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until two pictures of the window in a row are the same.
func (p *person) settle(ctx context.Context) error {
	last := ""
	return await(ctx, "a still window of "+p.name, func() (bool, error) {
		time.Sleep(250 * time.Millisecond)
		now, err := p.demo.screen.do(ctx, "import", "-silent", "-window", p.window, "-depth", "8", "-format", "%#", "info:")
		still := err == nil && now == last
		last = now
		return still, err
	})
}

// picture takes a picture of the window, with the pointer out of the way.
func (p *person) picture(ctx context.Context, file string) error {
	if _, err := p.demo.screen.do(ctx, "xdotool", "mousemove", "2230", "740"); err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	_, err := p.demo.screen.do(ctx, "import", "-silent", "-window", p.window, file)
	return err
}
