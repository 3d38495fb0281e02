// Package kernel holds the model's walker against the Linux kernel: the printed
// rules are loaded in network namespaces, connections are made, and their
// destinations and sources compared with what the walker says. It holds tests
// only.
package kernel
