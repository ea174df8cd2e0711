package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kuvert-im/kuvert/app/qr"
)

// patience bounds every wait for something that must happen; it is no measure.
const patience = 60 * time.Second

var (
	buildFlags []string
	underRace  bool   // the race detector multiplies memory and time
	kuvertd    string // the real program
)

func TestMain(m *testing.M) {
	if profile := os.Getenv(echoProfile); profile != "" {
		os.Exit(echo(profile))
	}
	if kuvertd = os.Getenv(builtBinary); kuvertd != "" {
		os.Exit(m.Run())
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "kuvertd-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		kuvertd = filepath.Join(dir, "kuvertd"+exeSuffix())
		args := append([]string{"build", "-o", kuvertd}, buildFlags...)
		if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func exeSuffix() string {
	if os.PathSeparator == '\\' {
		return ".exe"
	}
	return ""
}

// builtBinary names the program, if another process of this test has built it.
const builtBinary = "KUVERT_TEST_BINARY"

// daemon is a kuvertd serve.
type daemon struct {
	cmd    *exec.Cmd
	ready  chan serving // one, or closed if it ended before
	stderr *bytes.Buffer
}

// startDaemon starts kuvertd serve on loopback alone.
func startDaemon(profile string, env []string, args ...string) (*daemon, error) {
	return startServe(profile, env, append([]string{"--listen", "127.0.0.1:0", "--no-discovery"}, args...)...)
}

// startServe starts kuvertd serve.
func startServe(profile string, env []string, args ...string) (*daemon, error) {
	d := newDaemon(profile, env, args...)
	return d, d.start()
}

func newDaemon(profile string, env []string, args ...string) *daemon {
	args = append([]string{"serve", "--json", "--profile", profile}, args...)
	d := &daemon{cmd: exec.Command(kuvertd, args...), ready: make(chan serving, 1), stderr: new(bytes.Buffer)}
	d.cmd.Env = env
	d.cmd.Stderr = d.stderr
	return d
}

func (d *daemon) start() error {
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := d.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(d.ready)
		var s serving
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err == nil && json.Unmarshal(line, &s) == nil {
			d.ready <- s
		}
	}()
	return nil
}

// wait waits until the daemon is ready.
func (d *daemon) wait() (serving, error) {
	select {
	case s, ok := <-d.ready:
		if !ok {
			return s, fmt.Errorf("serve ended: %w: %s", d.cmd.Wait(), d.stderr)
		}
		return s, nil
	case <-time.After(patience):
		_ = d.cmd.Process.Kill()
		return serving{}, fmt.Errorf("serve is not ready: %w: %s", d.cmd.Wait(), d.stderr)
	}
}

// end ends the daemon as a person would, and waits for it.
func (d *daemon) end() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("serve: %w: %s", err, d.stderr)
	}
	return nil
}

// kill ends the daemon as a power cut would.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// stage is what the commands of one script share.
type stage struct {
	daemons map[string]*daemon
	code    int
}

// people are the actors: each has a command of that name, which runs kuvertd on
// a profile of that name.
var people = []string{"alice", "bob", "mallory"}

func TestScripts(t *testing.T) {
	cmds := map[string]func(*testscript.TestScript, bool, []string){
		"serve": cmdServe, "end": cmdEnd, "kill9": cmdKill9,
		"node": cmdNode, "endnode": cmdEndNode, "nonode": cmdNoNode, "same": cmdSame,
		"code": cmdCode, "field": cmdField, "await": cmdAwait, "samejson": cmdSameJSON,
		"qrcode": cmdQRCode,
	}
	for _, name := range people {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) { runAs(ts, name, neg, args) }
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			runtime := filepath.Join(e.WorkDir, "run")
			e.Vars = append(e.Vars, "XDG_RUNTIME_DIR="+runtime, "KUVERTD="+kuvertd, "TERM=dumb", "KUVERT_KEY_FILE="+filepath.Join(e.WorkDir, "key"))
			st := &stage{daemons: map[string]*daemon{}}
			e.Values["stage"] = st
			e.Defer(func() {
				for _, d := range st.daemons {
					d.kill()
				}
			})
			return os.Mkdir(runtime, 0o700)
		},
		Cmds: cmds,
	})
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value("stage").(*stage) }

// runAs is "alice ARGS…": kuvertd as a person. Any exit code but 0 is a failure;
// "code N" looks at it.
func runAs(ts *testscript.TestScript, name string, neg bool, args []string) {
	err := ts.Exec(kuvertd, append([]string{"--profile", ts.MkAbs(name)}, args...)...)
	st := stageOf(ts)
	st.code = 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		st.code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if (st.code != 0) != neg {
		ts.Fatalf("%s %s: exit code %d", name, strings.Join(args, " "), st.code)
	}
}

// cmdCode is "code N": the last exit code was N.
func cmdCode(ts *testscript.TestScript, _ bool, args []string) {
	if got := fmt.Sprint(stageOf(ts).code); got != args[0] {
		ts.Fatalf("exit code %s, not %s", got, args[0])
	}
}

// cmdServe is "serve NAME [FLAG…]": starts a daemon and waits until it is ready.
func cmdServe(ts *testscript.TestScript, _ bool, args []string) {
	d, err := startDaemon(ts.MkAbs(args[0]), scriptEnv(ts), args[1:]...)
	ts.Check(err)
	_, err = d.wait()
	ts.Check(err)
	stageOf(ts).daemons[args[0]] = d
}

func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, k := range []string{"PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "KUVERT_KEY_FILE"} {
		env = append(env, k+"="+ts.Getenv(k))
	}
	return env
}

func takeDaemon(ts *testscript.TestScript, name string) *daemon {
	st := stageOf(ts)
	d := st.daemons[name]
	if d == nil {
		ts.Fatalf("%s is not served", name)
	}
	delete(st.daemons, name)
	return d
}

// cmdEnd is "end NAME": SIGTERM, and the daemon must end with 0 and silently.
func cmdEnd(ts *testscript.TestScript, _ bool, args []string) {
	d := takeDaemon(ts, args[0])
	ts.Check(d.end())
	if d.stderr.Len() > 0 {
		ts.Fatalf("serve said: %s", d.stderr)
	}
}

// cmdKill9 is "kill9 NAME".
func cmdKill9(ts *testscript.TestScript, _ bool, args []string) { takeDaemon(ts, args[0]).kill() }

// cmdField is "field VAR KEY…": sets VAR to a field of the JSON that the last
// command printed; keys are names, or numbers into a list.
func cmdField(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, key := range args[1:] {
		switch w := v.(type) {
		case map[string]any:
			v = w[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(w) {
				ts.Fatalf("no element %s of %d", key, len(w))
			}
			v = w[i]
		}
	}
	s, ok := v.(string)
	if !ok {
		ts.Fatalf("field %v is %v", args[1:], v)
	}
	ts.Setenv(args[0], s)
}

// cmdAwait is "await REGEXP NAME ARGS…": runs kuvertd as a person again and again
// until its output matches, or, for "!REGEXP", does not.
func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	pattern, neg := strings.CutPrefix(args[0], "!")
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out := quietly(ts, args[1:])
		if re.MatchString(out) != neg {
			break
		}
		if time.Now().After(end) {
			ts.Fatalf("%v never happened: %s", args, out)
		}
	}
	runAs(ts, args[1], false, args[2:])
}

// quietly runs kuvertd as a person without a trace in the script's log.
func quietly(ts *testscript.TestScript, args []string) string {
	cmd := exec.Command(kuvertd, append([]string{"--profile", ts.MkAbs(args[0])}, args[1:]...)...)
	cmd.Env = scriptEnv(ts)
	out, err := cmd.CombinedOutput()
	if err != nil {
		ts.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

// cmdSameJSON is "samejson FILE FILE KEY…": two lists of objects are equal in
// these fields and in order, and not empty.
func cmdSameJSON(ts *testscript.TestScript, _ bool, args []string) {
	project := func(file string) string {
		var list []map[string]any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &list))
		var b strings.Builder
		for _, m := range list {
			for _, k := range args[2:] {
				fmt.Fprintf(&b, "%s=%v ", k, m[k])
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	if a, b := project(args[0]), project(args[1]); a != b || a == "" {
		ts.Fatalf("different:\n%s\n%s", a, b)
	}
}

// cmdQRCode is "qrcode FILE.png TEXT": draws a code.
func cmdQRCode(ts *testscript.TestScript, _ bool, args []string) {
	img, err := qr.Encode(args[1], qrPixels)
	ts.Check(err)
	ts.Check(writeFile(ts.MkAbs(args[0]), func(w io.Writer) error { return png.Encode(w, img) }))
}

// runKuvertd runs a command outside of scripts and decodes its JSON.
func runKuvertd(t testing.TB, env []string, profile string, into any, args ...string) {
	t.Helper()
	cmd := exec.Command(kuvertd, append([]string{"--profile", profile, "--json"}, args...)...)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kuvertd %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("kuvertd %s: %v in %s", strings.Join(args, " "), err, out)
	}
}
