package lesson

import "svctour/model/path"

// watching says whether a node is looked at for the screen.
func (l *Screen) watching() bool {
	node, _ := l.Watches()
	return node != ""
}

// Chains implements shell.Watcher: the chains of the path.
func (l *Screen) Chains() []path.ChainID { return l.live.Chains() }
