package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// nodeEnds is how long a node may take to stop.
const nodeEnds = 10 * time.Second

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// cmdNode is "node DIR ARGS…": starts a node and waits until it has told its link,
// as JSON unless --plain is the first argument.
func cmdNode(ts *testscript.TestScript, _ bool, args []string) {
	ready := "It runs until"
	rest, plain := args[1:], len(args) > 1 && args[1] == "--plain"
	if plain {
		rest = rest[1:]
	} else {
		rest, ready = append([]string{"--json"}, rest...), "}\n"
	}
	var out output
	d := &daemon{cmd: exec.Command(kuvertd, append([]string{"node", "--data", ts.MkAbs(args[0])}, rest...)...), stderr: new(bytes.Buffer)}
	d.cmd.Env, d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = scriptEnv(ts), ts.MkAbs("."), &out, d.stderr
	ts.Check(d.cmd.Start())
	stageOf(ts).daemons[args[0]] = d
	for end := time.Now().Add(patience); !strings.Contains(out.String(), ready); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) || d.cmd.Process.Signal(syscall.Signal(0)) != nil {
			ts.Fatalf("the node is not ready: %s%s", &out, d.stderr)
		}
	}
	file := ts.MkAbs(args[0] + ".out")
	ts.Check(os.WriteFile(file, []byte(out.String()), 0o600))
	ts.Check(ts.Exec("cat", file)) // what it printed is the script's stdout
}

// cmdEndNode is "endnode DIR": SIGTERM; it must end in time, with 0 and silently.
func cmdEndNode(ts *testscript.TestScript, _ bool, args []string) {
	begin := time.Now()
	cmdEnd(ts, false, args)
	if d := time.Since(begin); d > nodeEnds {
		ts.Fatalf("the node took %v to end", d)
	}
}

// cmdNoNode is "nonode CODE ARGS…": a node does not start and ends with this code;
// "stderr" looks at what it said.
func cmdNoNode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(kuvertd, append([]string{"node"}, args[1:]...)...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("it started: %v", err)
	}
	stageOf(ts).code = exit.ExitCode()
	cmdCode(ts, false, args)
}

// cmdSame is "same A B": both are equal.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%q and %q", args[0], args[1])
	}
}

func TestBytesOf(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "1": 1, "500M": 500 << 20, "20g": 20 << 30, "3K": 3 << 10, "2T": 2 << 40} {
		if n, err := bytesOf(text); err != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"lots", "M", "-5", "0", "20GG", "1.5G", "9999999T", "5 G", "0x10"} {
		if n, err := bytesOf(text); err == nil {
			t.Errorf("%q: %d", text, n)
		}
	}
}

// A node's folder and its picture are for its operator alone.
func TestNodeFilesArePrivate(t *testing.T) {
	dir, env := testEnv(t)
	data, picture := dir+"/data", dir+"/code.png"
	var out output
	cmd := exec.Command(kuvertd, "node", "--json", "--data", data, "--listen", "127.0.0.1:0", "--qr", picture)
	cmd.Env, cmd.Stdout = env, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for end := time.Now().Add(patience); !strings.Contains(out.String(), "}\n"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the node is not ready")
		}
	}
	entries, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{data, picture}
	for _, e := range entries {
		files = append(files, data+"/"+e.Name())
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", f, info.Mode())
		}
	}
	log, err := os.ReadFile(data + "/kuvert.log")
	if err != nil || bytes.Contains(log, []byte("127.0.0.1")) || bytes.Contains(log, []byte("KUVERT-NODE")) {
		t.Errorf("log: %s, %v", log, err)
	}
	if !slices.Contains(files, data+"/mail.db") {
		t.Errorf("files: %v", files)
	}
}
