package model

// Reply is what one command printed when it was run: an observed fact.
// Its texts are the cluster's and must go through Printable before a terminal.
type Reply struct {
	Command string `json:"command"` // as a person would type it
	Stdout  string `json:"stdout"`
	Stderr  string `json:"stderr"`
	Exit    int    `json:"exit"` // exit code; -1 when it could not be run or was cancelled
}
