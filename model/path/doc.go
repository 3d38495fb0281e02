// Package path says what kube-proxy's rules do to a packet: it turns a
// snapshot and a node into a rule program (chains and rules, as data), walks
// one packet over it and prints it as iptables-save would.
package path
