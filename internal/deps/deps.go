//go:build deps

// Package deps keeps modules in go.mod while the packages that need them are being written.
package deps

import (
	_ "github.com/coredns/coredns/core/dnsserver"
	_ "gvisor.dev/gvisor/pkg/tcpip/stack"
	_ "mvdan.cc/sh/v3/interp"
)
