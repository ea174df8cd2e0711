# Kuvert. On a fresh machine with git, make and Go:
#
#   make run     start the desktop app
#   make test    run all tests
#
# Both install what is missing of system packages (Debian, Ubuntu).

SHELL := /bin/sh
TAGS := migrated_fynedo
BUILD := build
LINT_VERSION := v2.15.0
VULN_VERSION := v1.9.0
LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
# Test programs linked at the same time: each takes up to a gigabyte of memory.
JOBS ?= 2
FUZZTIME ?= 30
# The packages that draw need a C compiler and much time under the race detector;
# reading pictures is one goroutine's work.
DRAWING := /(cmd/kuvert|app/ui.*|app/qr|assets.*)$$

.PHONY: all run test nested demo pictures build windows check lint format format-check vet tidy-check race vectors crash fuzz bench soak vuln clean go system screen

all: build

go:
	@.ci/go-version

system: go
	@.ci/need window

screen: system
	@.ci/need screen

## run: start the desktop app; without a display, make demo
run: system
	@if [ "$$(uname -s)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		echo "There is no display here, so this runs make demo: two windows on a virtual screen that write to each other."; \
		$(MAKE) --no-print-directory demo; \
	else \
		go build -tags $(TAGS) -o $(BUILD)/ ./cmd/kuvert && $(BUILD)/kuvert$$(go env GOEXE); \
	fi

## test: run all tests
test: screen
	go test -tags $(TAGS) -p $(JOBS) -timeout 20m ./...
	@$(MAKE) --no-print-directory nested

# Modules of their own: comparisons with code whose licence keeps it out of ours.
nested: go
	@for mod in $$(find . -mindepth 2 -name go.mod -not -path './$(BUILD)/*'); do \
		echo "go test in $$(dirname $$mod)"; \
		(cd $$(dirname $$mod) && go test ./...) || exit 1; \
	done

## demo: two profiles, two windows on a virtual screen that pair and talk; pictures in build/demo
demo: screen
	go run -tags $(TAGS) ./cmd/kuvert/demo -out $(BUILD)/demo

## pictures: make demo, and keep its pictures and some that the tests compare for the documents
pictures: demo
	mkdir -p docs/images
	cp $(BUILD)/demo/anna-light-de.png docs/images/conversation-light-de.png
	cp $(BUILD)/demo/bernd-dark-en.png docs/images/conversation-dark-en.png
	cp $(BUILD)/demo/empty-light-de.png docs/images/empty-light-de.png
	cp app/ui/testdata/search-de.png docs/images/search-light-de.png
	cp app/ui/testdata/find-dark.png docs/images/search-dark.png
	cp app/ui/settings/testdata/*.png app/ui/protect/testdata/*.png app/ui/contacted/testdata/contacted-*.png app/ui/doctor/testdata/doctor-*.png app/ui/rights/testdata/*.png docs/images/

## build: both programs into build/
build: system
	go build -tags $(TAGS) -o $(BUILD)/ ./cmd/kuvert ./cmd/kuvertd

## windows: both programs for Windows into build/windows/
windows: go
	@.ci/need windows
	GOOS=windows GOARCH=amd64 CGO_ENABLED=1 CC=x86_64-w64-mingw32-gcc \
		go build -tags $(TAGS) -ldflags -H=windowsgui -o $(BUILD)/windows/ ./cmd/kuvert
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go build -o $(BUILD)/windows/ ./cmd/kuvertd
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go vet ./cmd/kuvertd ./app/rpc ./app/run

## check: what to run before a commit
check: format-check vet tidy-check lint

format: go
	$(LINT) fmt

format-check: go
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then echo "Not formatted (make format): $$bad"; exit 1; fi

vet: system
	go vet -tags $(TAGS) ./...

tidy-check: go
	go mod tidy -diff

## lint: golangci-lint, built from source by its version; it is no dependency
lint: system
	$(LINT) run --build-tags $(TAGS) --concurrency $(JOBS) --timeout 20m ./...

# The packages whose tests run in a bubble of testing/synctest. Up to Go 1.26.8 two timers
# of a bubble that fire at once share a stack of the race detector, which then crashes
# (runtime/time.go, unlockAndRun: both take bubble.timers.raceCtx); on one processor
# they cannot.
BUBBLES := $(shell grep -rl --include='*.go' '"testing/synctest"' app p2p storage crypto | xargs -n1 dirname | sort -u)

## race: the race detector over everything that draws nothing
race: go
	go test -race -short -p $(JOBS) -timeout 30m -cpu 1 $(BUBBLES:%=./%)
	go test -race -short -p $(JOBS) -timeout 30m $$(go list ./... | grep -Ev '$(DRAWING)' | grep -vx $(BUBBLES:%=-e '.*/%'))

## vectors: the published test vectors, against the code
vectors: go
	go test -count=1 -run 'Vector|Wycheproof|CCTV' ./crypto/...
	@$(MAKE) --no-print-directory nested

## crash: the encrypted database against 500 kills, 1,000 power cuts and a failing disk
crash: go
	go test -count=1 -timeout 60m -v -run 'Acknowledged|Find|Flipped' ./storage/cryptvfs -args -kills 500 -cuts 1000 -faults 1000

## fuzz: every fuzz target for FUZZTIME seconds
fuzz: go
	.ci/fuzz $(FUZZTIME)

## bench: speed, start-up and memory, printed and never asserted
bench: screen
	go test -run '^$$' -bench . -benchmem ./crypto/... ./storage/... ./app/core/... ./cmd/kuvertd/...

## soak: the long versions: 1,000 kills, 10,000 waiting messages, long floods and temptations; half an hour, parts of it need root
soak: go
	KUVERT_SOAK=1 go test -count=1 -v -timeout 90m -run 'Lab|Flood|KillsWithANode|ThousandsWait|ALargeFile' ./p2p/p2ptest ./cmd/kuvertd

## vuln: known vulnerabilities; needs vuln.go.dev
vuln: go
	go run golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION) -tags $(TAGS) ./...

clean:
	rm -rf $(BUILD)
