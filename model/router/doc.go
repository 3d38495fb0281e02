// Package router makes a course of questions from the way of one packet: hop by
// hop, which name, rule, address or node is next. What is right comes from the
// walk over kube-proxy's rules (model/path) and from the look-up (model/dns); what
// is wrong is tested against the same rules, so that no wrong option is right by
// another name, and each tells why it is wrong.
package router
