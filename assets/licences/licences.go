// Package licences holds the licences of everything that the programs are made
// of. The text is generated from the modules that the build takes in, on every
// system it is built for; a test says when it is out of date.
package licences

import _ "embed"

//go:generate go run generate.go

// Text is what the screens show: each licence under the names of those that have
// it.
//
//go:embed licences.txt
var Text string
