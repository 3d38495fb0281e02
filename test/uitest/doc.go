// Package uitest drives the app as a person does, for tests: a Driver by
// messages, in a time of its own, and a Terminal by keys, as the real program on
// an emulated terminal. Both work over a Backend that answers from memory.
package uitest
