//go:build !linux

// Demo needs a virtual screen, which only Linux has.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "demo: the virtual screen needs Linux; start Kuvert itself with: make run")
	os.Exit(1)
}
