// Package clustertest tests package cluster against a real API server: the
// lab's control plane, in a child process that can be frozen and behind a proxy
// that can be cut.
package clustertest
