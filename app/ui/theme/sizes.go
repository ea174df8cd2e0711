package theme

// Measures in dp, on a grid of 4.
const (
	WindowWidth  = 1100
	WindowHeight = 720
	MinWidth     = 680
	MinHeight    = 400

	Sidebar          = 320 // width
	SidebarCollapsed = 72  // width: avatars alone
	CollapseUnder    = 760 // window width under which the sidebar collapses
	SidebarInset     = 12  // left and right of everything in the sidebar
	Header           = 56  // height, on both panes
	Footer           = 36
	Row              = 64 // pitch of the conversation list
	Banner           = 36

	Gutter      = 20  // beside the bubbles
	BubbleMax   = 560 // width
	BubbleShare = 0.72
	Column      = 820 // the history's width at most
	BubblePadX  = 10
	BubblePadY  = 8
	Radius      = 14 // of a bubble
	Tail        = 4  // of a bubble's corner within a group
	GapGroup    = 2  // between bubbles of one group
	GapSender   = 10 // between groups

	AvatarRow    = 44
	AvatarHeader = 36
	Icon         = 20
	HitArea      = 36

	SizeTitle   = 18 // text
	SizeName    = 15 // the header's name
	SizeText    = 14
	SizePreview = 13
	SizeStatus  = 12
	SizeCaption = 11
)
