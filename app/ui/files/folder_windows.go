package files

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

var known = map[string]*windows.KNOWNFOLDERID{
	"DOWNLOAD": windows.FOLDERID_Downloads, "PICTURES": windows.FOLDERID_Pictures,
	"DESKTOP": windows.FOLDERID_Desktop, "DOCUMENTS": windows.FOLDERID_Documents,
}

// folder is one of the person's own folders, wherever Windows has put it.
func folder(home, xdg, usual string) string {
	if id := known[xdg]; id != nil {
		if p, err := windows.KnownFolderPath(id, 0); err == nil {
			return p
		}
	}
	return filepath.Join(home, usual)
}
