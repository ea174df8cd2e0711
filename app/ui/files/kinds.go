package files

import (
	"path/filepath"
	"strings"
)

// risky are the endings of files that a system runs, installs or mounts, or whose
// program does what is written in them. Kuvert saves such files and never opens
// them, and neither what has no ending. The user guides name the kinds.
var risky = set(
	// programs and libraries
	"exe com scr pif cpl dll ocx sys drv bin run elf app appimage so dylib jar jnlp apk ipa xap gadget",
	// scripts
	"bat cmd ps1 ps1xml psm1 psd1 ps2 psc1 psc2 vb vbs vbe js jse mjs cjs ws wsf wsh wsc sct hta msh "+
		"sh bash zsh csh ksh fish command tool workflow scpt scptd applescript action osx "+
		"py pyc pyo pyw pyz pyzw pl pm rb rbw php phar lua tcl awk groovy r ahk au3 kts",
	// links and settings that lead to a program
	"lnk url website webloc desktop directory inf ins isp reg scf job library-ms search-ms searchconnector-ms "+
		"settingcontent-ms appref-ms application diagcab theme themepack service timer rdp",
	// installers
	"msi msix msixbundle msp mst msu appx appxbundle deb rpm pkg mpkg dmg flatpak flatpakref flatpakrepo snap cab xbap xpi crx vsix",
	// disks, which hide where a file came from
	"iso img vhd vhdx udf toast",
	// documents with macros, databases, and help that runs what it holds
	"docm dotm xlsm xltm xlam xll xlsb xla xlm pptm potm ppam ppsm sldm ade adp mda mdb mde accdb accde accda accdr "+
		"slk iqy oqy rqy dqy pub one onepkg chm hlp msc grp odb oxt",
	// pages that may run scripts or ask for a password
	"htm html xht xhtml mht mhtml shtml svg svgz xsl xslt xml swf",
)

// kinds name what an ending stands for, as the translations know it.
var kinds = map[string]map[string]bool{
	"pdf":      set("pdf"),
	"picture":  set("jpg jpeg png gif webp bmp tif tiff heic avif"),
	"document": set("doc docx dot dotx odt ott rtf pages"),
	"table":    set("xls xlsx xlt xltx ods ots csv numbers"),
	"slides":   set("ppt pptx pps ppsx odp key"),
	"text":     set("txt md log"),
	"audio":    set("mp3 m4a ogg oga opus wav flac aac wma"),
	"video":    set("mp4 m4v mov mkv webm avi mpg mpeg wmv"),
	"archive":  set("zip 7z rar tar gz tgz bz2 xz zst"),
}

func set(lists ...string) map[string]bool {
	out := map[string]bool{}
	for _, l := range lists {
		for _, e := range strings.Fields(l) {
			out[e] = true
		}
	}
	return out
}

// ending is a name's ending without the dot, in lower case; the name must be one
// that files are saved under (chat.SaveFileName).
func ending(name string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(strings.TrimRight(name, ". ")), "."))
}

// Opens reports whether a file of this name may be given to the system's program
// for it.
func Opens(name string) bool {
	e := ending(name)
	return e != "" && !risky[e]
}

// Kind is the kind of a file by its ending: a key of the translations ("file.kind."
// and one of pdf, picture, document, table, slides, text, audio, video, archive,
// program), or "other".
func Kind(name string) string {
	e := ending(name)
	if risky[e] {
		return "program"
	}
	for k, ends := range kinds {
		if ends[e] {
			return k
		}
	}
	return "other"
}
