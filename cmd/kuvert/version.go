package main

import "runtime/debug"

// release is the version that FyneApp.toml names.
const release = "0.1.0"

// version is the release and, for a build from a checkout, its commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 8 {
			return release + " (" + s.Value[:8] + ")"
		}
	}
	return release
}
