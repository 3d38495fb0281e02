// Package model is the pure heart of svctour: small, immutable values copied
// out of Kubernetes API objects, and the evidence a fact carries. It imports
// nothing but the standard library, does no I/O, starts no goroutine and reads
// no clock; everything it says follows from its arguments.
//
// Field meanings are those of the Kubernetes API types they are copied from
// (k8s.io/api core/v1, discovery/v1, apps/v1, v0.37). A value keeps the
// difference between "absent" and "false" only where Kubernetes gives it a
// meaning of its own (pointers).
package model
