package run_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kuvert-im/kuvert"

// A layer is what one part of the tree may import of ours, and which foreign or
// standard packages it must not import.
type layer struct {
	own    []string // may import these of ours, besides its own tree
	denied []string // never these trees, of anybody's; "=net" is net itself alone
}

var (
	sockets = []string{"=net", "net/http", "net/rpc", "net/smtp", "net/textproto", "crypto/tls"}
	network = append([]string{"github.com/libp2p", "github.com/quic-go", "github.com/multiformats"}, sockets...)
	sql     = []string{"database/sql", "modernc.org"}
	window  = []string{"fyne.io", "github.com/go-gl", "github.com/fyne-io"}
	sealing = []string{"filippo.io", "golang.org/x/crypto", "crypto/ecdh", "crypto/mlkem"}
	systems = []string{"os", "io/fs", "io/ioutil", "=log", "path/filepath", "syscall"}
)

// layers holds architecture.md's rules. The longest prefix of a package's path
// decides which layer it is in.
var layers = map[string]layer{
	"app/chat":    {denied: join(network, sql, window, sealing, systems)},
	"app/event":   {own: []string{"app/chat"}, denied: join(network, sql, window, sealing, systems)},
	"app/core":    {own: []string{"crypto", "app/chat", "app/event", "app/picture", "app/backup"}, denied: join(network, sql, window)},
	"app/backup":  {own: []string{"app/chat"}, denied: join(network, sql, window)},
	"app/rpc":     {own: []string{"app/core", "app/chat", "app/event"}, denied: join(sql, window, sealing)},
	"app/picture": {denied: join(network, sql, window, sealing, systems)},
	"app/qr":      {own: []string{"app/chat"}, denied: join(network, sql, window, sealing)},
	"app/sheet":   {own: []string{"app/qr", "assets/translations/words"}, denied: join(network, sql, window, sealing)},
	"app/gdpr":    {own: []string{"app/core", "app/chat", "assets/translations/words"}, denied: join(network, sql, window, sealing)},
	"app/ui":      {own: []string{"app/core", "app/chat", "app/event", "app/qr", "app/gdpr", "app/picture", "assets"}, denied: join(network, sql, sealing)},
	"app/run":     {own: []string{"app/core", "app/chat", "app/event", "app/rpc", "p2p", "storage", "crypto"}, denied: join(window, sql)},
	"app/apptest": {own: []string{"app/run", "app/core", "app/chat", "app/event", "p2p", "storage", "crypto"}, denied: window},
	"crypto":      {denied: join(network, sql, window, systems)},
	// Reads the published vectors, for tests.
	"crypto/internal/vector": {denied: join(network, sql, window)},
	"p2p":                    {denied: join(sql, window)},
	"storage":                {own: []string{"app/chat"}, denied: join(network, window)},
	"assets":                 {denied: join(network, sql, sealing)},
	"cmd/kuvertd":            {own: []string{"app/run", "app/rpc", "app/core", "app/chat", "app/event", "app/qr", "app/sheet", "app/gdpr", "assets/translations/words"}, denied: join(sql, window)},
	"cmd/kuvert":             {own: []string{"app/run", "app/core", "app/chat", "app/event", "app/qr", "app/sheet", "app/ui", "assets"}, denied: sql},
}

// testOnly are packages that no shipped package may import.
var testOnly = []string{"app/apptest", "app/ui/uitest", "p2p/p2ptest", "crypto/internal/vector"}

func join(lists ...[]string) []string { return slices.Concat(lists...) }

func under(pkg, tree string) bool {
	return pkg == strings.TrimPrefix(tree, "=") || strings.HasPrefix(pkg, tree+"/")
}

func underAny(pkg string, trees []string) bool {
	return slices.ContainsFunc(trees, func(t string) bool { return under(pkg, t) })
}

// layerOf finds the layer of a package of ours, by its path below the module.
func layerOf(pkg string) (string, bool) {
	best := ""
	for prefix := range layers {
		if under(pkg, prefix) && len(prefix) > len(best) {
			best = prefix
		}
	}
	return best, best != ""
}

// violations returns what is wrong with one package's imports; all paths are
// import paths.
func violations(pkg string, imports []string) []string {
	short := strings.TrimPrefix(pkg, module+"/")
	name, ok := layerOf(short)
	if !ok {
		return []string{pkg + " is in no layer: place it in app/run/layers_test.go and in architecture.md"}
	}
	var bad []string
	for _, imp := range imports {
		own, ours := strings.CutPrefix(imp, module+"/")
		switch {
		case !ours && underAny(imp, layers[name].denied):
			bad = append(bad, pkg+" imports "+imp+", which "+name+" must not")
		case ours && underAny(own, testOnly) && !underAny(short, testOnly):
			bad = append(bad, pkg+" imports "+imp+", which is for tests alone")
		case ours && !under(own, name) && !underAny(own, layers[name].own):
			bad = append(bad, pkg+" imports "+imp+", against the layers")
		}
	}
	return bad
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Module     *struct{ Path, Dir string }
}

// list runs go list -json for one system.
func list(t *testing.T, system string, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Imports,Deps,Module"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.Bytes())
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestLayers(t *testing.T) {
	for _, system := range []string{"linux", "windows", "darwin"} {
		for _, p := range list(t, system, "./...") {
			for _, v := range violations(p.ImportPath, p.Imports) {
				t.Errorf("%s: %s", system, v)
			}
		}
	}
}

// TestLayersCatch plants imports that are against the rules.
func TestLayersCatch(t *testing.T) {
	for _, c := range []struct{ pkg, imp string }{
		{"crypto/ratchet", module + "/p2p/wire"},
		{"crypto/ratchet", module + "/storage/sqlite"},
		{"crypto/ratchet", module + "/app/core"},
		{"crypto/ratchet", module + "/app/chat"},
		{"crypto/envelope", "os"},
		{"p2p/node", module + "/crypto/identity"},
		{"p2p/node", module + "/app/core"},
		{"p2p/node", module + "/app/chat"},
		{"storage/sqlite", module + "/app/core"},
		{"storage/sqlite", module + "/crypto/vault"},
		{"storage/sqlite", "net"},
		{"storage/sqlite", "net/http"},
		{"app/core", module + "/storage/sqlite"},
		{"app/core", module + "/p2p/node"},
		{"app/core", "github.com/libp2p/go-libp2p"},
		{"app/core", "database/sql"},
		{"app/ui/screens", "github.com/libp2p/go-libp2p/core/host"},
		{"app/ui", module + "/crypto/identity"},
		{"app/ui", "modernc.org/sqlite"},
		{"app/ui", module + "/app/run"},
		{"app/run", "fyne.io/fyne/v2"},
		{"app/run", module + "/app/apptest"},
		{"cmd/kuvertd", "fyne.io/fyne/v2/app"},
		{"cmd/kuvertd", module + "/app/ui"},
		{"somewhere", "fmt"},
	} {
		if len(violations(module+"/"+c.pkg, []string{"fmt", c.imp})) != 1 {
			t.Errorf("%s importing %s was not caught", c.pkg, c.imp)
		}
	}
	if v := violations(module+"/app/core", []string{"fmt", module + "/crypto/ratchet", module + "/app/chat"}); v != nil {
		t.Errorf("allowed imports were refused: %v", v)
	}
}

// TestHeadless checks what the headless program links, by whatever way.
func TestHeadless(t *testing.T) {
	for _, system := range []string{"linux", "windows"} {
		for _, p := range list(t, system, "./cmd/kuvertd", "./app/run") {
			for _, dep := range p.Deps {
				if underAny(dep, window) || dep == "testing" {
					t.Errorf("%s: %s links %s", system, p.ImportPath, dep)
				}
			}
		}
	}
}

var copyleft = []string{"GNU GENERAL PUBLIC LICENSE", "GNU AFFERO GENERAL PUBLIC LICENSE", "GNU LESSER GENERAL PUBLIC LICENSE"}

// licenceFiles names the file where a module keeps its licence if it is not
// called one.
var licenceFiles = map[string]string{"c2sp.org/CCTV/age": "README.MD"} // 0BSD

// isCopyleft reports whether a licence's text is of the GPL family. The names
// stand at the head of those texts; other licences mention them far below.
func isCopyleft(text string) bool {
	head := strings.ToUpper(strings.Join(strings.Fields(text), " "))
	head = head[:min(len(head), 200)]
	return slices.ContainsFunc(copyleft, func(l string) bool { return strings.Contains(head, l) })
}

// TestLicences checks that every module we link or test with has a licence file
// and that none is of the GPL family.
func TestLicences(t *testing.T) {
	dirs := map[string]string{}
	for _, system := range []string{"linux", "windows"} {
		for _, p := range list(t, system, "-deps", "-test", "./...") {
			if p.Module != nil && p.Module.Path != module {
				dirs[p.Module.Path] = p.Module.Dir
			}
		}
	}
	for path, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		var found bool
		for _, f := range files {
			name := strings.ToUpper(filepath.Base(f))
			if !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && name != licenceFiles[path] {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				continue // a folder of licences
			}
			found = true
			if isCopyleft(string(text)) {
				t.Errorf("%s is under the GPL: %s", path, f)
			}
		}
		if !found {
			t.Errorf("%s has no licence file", path)
		}
	}
	if !isCopyleft("\n                    GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007") {
		t.Error("the GPL was not recognised")
	}
}

// TestDependenciesAreNamed looks for the reason of each direct dependency.
func TestDependenciesAreNamed(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for line := range strings.Lines(string(mod)) {
		path, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.HasPrefix(version, "v") || strings.HasSuffix(version, "// indirect") {
			continue
		}
		direct++
		if !strings.Contains(string(doc), path) {
			t.Errorf("docs/design.md does not say what %s is for", path)
		}
	}
	if direct < 10 {
		t.Errorf("only %d direct dependencies were found", direct)
	}
}
