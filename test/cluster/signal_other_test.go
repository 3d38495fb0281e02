//go:build !unix

package clustertest

import (
	"os"
	"testing"
)

func stop(t *testing.T, _ *os.Process) { t.Skip("no SIGSTOP here") }

func resume(*testing.T, *os.Process) {}
